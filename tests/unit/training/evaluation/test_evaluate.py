"""`trimod evaluate`: spans in characters, the same for given tokens and for raw text where the cuts agree."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from models.core.labels import Span, tags_of
from models.inference.tagger import Tagger
from tests.support.tiny_checkpoint import tiny_checkpoint
from training.cli.evaluate import evaluate
from training.data.conll import LabelledPost
from training.errors import DataError
from training.evaluation.evaluate import gold_spans, joined

CONLL = "IMGID:1\nToronto\tB-ORG\nLeafs\tI-ORG\nwon\tO\n\nIMGID:2\nin\tO\n#Riga\tB-LOC\n"


def test_gold_spans_are_characters_of_the_joined_tokens() -> None:
    post = LabelledPost(["in", "👨‍👩‍👧", "New", "York"], ["O", "O", "B-LOC", "I-LOC"])
    [span] = gold_spans(post)
    assert Span(9, 17, "LOC") == span
    assert "New York" == "in 👨‍👩‍👧 New York"[span.start : span.end]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "valid.txt").write_text(CONLL)
    (tmp_path / "captions.json").write_text(json.dumps({"1": "a hockey player"}))
    return [
        str(tiny_checkpoint(tmp_path / "tiny")),
        "--data",
        str(tmp_path / "valid.txt"),
        "--device",
        "cpu",
        "--json",
    ]


def report(arguments: list[str]) -> dict[str, object]:
    result = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return dict(json.loads(result.stdout))


def test_raw_text_of_plain_tokens_scores_as_the_tokens_do(arguments: list[str]) -> None:
    assert report(arguments)["scores"] == report([*arguments, "--raw"])["scores"]


@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_gold_that_is_the_models_own_answer_scores_100_and_one_change_costs_it(
    tmp_path: Path, raw: list[str]
) -> None:
    """Of an untrained model all else scores 0, however the spans are compared."""
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    tokens = [
        "Toronto",
        "Leafs",
        "won",
        "in",
        "the",
        "👨‍👩‍👧",
        "e\u0301te\u0301",
        "a",
        "hockey",
        "player",
    ] * 3
    text, found = joined(tokens)
    mentions = Tagger.load(checkpoint, "cpu").tag([text])[0]
    starts, ends = [token.start for token in found], [token.end for token in found]
    own = [Span(starts.index(m.start), ends.index(m.end) + 1, m.type) for m in mentions]
    assert len(own) > 2
    changed = [own[0]._replace(type="LOC" if own[0].type == "PER" else "PER"), *own[1:]]
    for gold, expected in ((own, 100.0), (changed, 100 * (len(own) - 1) / len(own))):
        rows = zip(tokens, tags_of(gold, len(tokens)), strict=True)
        (tmp_path / "own.txt").write_text("\n".join(f"{token}\t{tag}" for token, tag in rows) + "\n")
        arguments = [str(checkpoint), "--data", str(tmp_path / "own.txt"), "--device", "cpu", "--json", *raw]
        assert expected == pytest.approx(report(arguments)["f1"])


def test_captions_are_found_by_image_id(arguments: list[str], tmp_path: Path) -> None:
    assert 0 == report(arguments)["posts_with_image_words"]
    assert 1 == report([*arguments, "--captions", str(tmp_path / "captions.json")])["posts_with_image_words"]


def test_random_images_need_a_folder(arguments: list[str]) -> None:
    result = CliRunner().invoke(evaluate, [*arguments, "--random-images", "1"])
    assert 2 == result.exit_code
    assert "--images" in result.output


def test_captions_or_images_that_fit_no_post_are_an_error(arguments: list[str], tmp_path: Path) -> None:
    """They were passed over, and the figure was of the text alone."""
    (tmp_path / "captions.json").write_text(json.dumps({"1.jpg": "a hockey player"}))
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "other.jpg")
    for option, name, told in (
        ("--captions", "captions.json", "has no caption for any of the posts.* images, such as '1"),
        ("--images", "images", "has none of the posts.* images, such as 1"),
    ):
        with pytest.raises(DataError, match=f"{name} {told}"):
            report([*arguments, option, str(tmp_path / name)])
