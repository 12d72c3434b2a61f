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


@pytest.mark.parametrize("name", ["1.jpg", "1.PNG", "1.jpeg", "1.webp", "1"])
def test_an_image_id_may_be_the_name_of_its_file(arguments: list[str], tmp_path: Path, name: str) -> None:
    (tmp_path / "valid.txt").write_text(CONLL.replace("IMGID:1", f"IMGID:{name}"))
    given = report([*arguments, "--captions", str(tmp_path / "captions.json")])
    assert 1 == given["posts_with_image_words"]
    (tmp_path / "captions.json").write_text(json.dumps({name: "a hockey player"}))
    assert given == report([*arguments, "--captions", str(tmp_path / "captions.json")])


def test_missing_images_are_reported(
    arguments: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "1.jpg")
    report([*arguments, "--images", str(tmp_path / "images")])
    assert ["the images of 1 of 2 posts are missing, such as 2.jpg"] == [
        message.partition(": ")[2] for message in caplog.messages
    ]


PEOPLE = "Toronto\tB-person\nwon\tO\n\nin\tO\nRiga\tB-location\n"


@pytest.mark.parametrize(
    ("content", "lacking"),
    [
        (PEOPLE, "location \\(1\\), person \\(1\\)"),
        (PEOPLE.replace("person", "Person"), "Person \\(1\\), location \\(1\\)"),
        ("Riga\tB-GPE\nOld\tB-GPE\nTown\tI-GPE\n", "GPE \\(2\\)"),
        ("Riga\tB-per\n", "per \\(1\\)"),
    ],
)
def test_types_that_the_model_lacks_are_an_error_and_not_zero(
    arguments: list[str], tmp_path: Path, content: str, lacking: str
) -> None:
    (tmp_path / "valid.txt").write_text(content)
    with pytest.raises(
        DataError, match=f"types {lacking}; it has LOC, MISC, ORG, PER. Map them, e.g. --rename"
    ):
        report(arguments)


def test_renamed_types_are_scored(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text(PEOPLE)
    names = ["--rename", "person=PER", "--rename", "location=LOC"]
    renamed = report([*arguments, *names])
    (tmp_path / "valid.txt").write_text(PEOPLE.replace("person", "PER").replace("location", "LOC"))
    assert renamed == report(arguments)


def test_a_type_can_be_dropped(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text(PEOPLE)
    scores = report([*arguments, "--rename", "person=PER", "--rename", "location=O"])["scores"]
    assert isinstance(scores, dict)
    assert 1 == scores["overall"]["support"]


def test_some_types_that_the_model_lacks_count_as_missed_and_are_reported(
    arguments: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "valid.txt").write_text(PEOPLE.replace("person", "PER"))
    scores = report(arguments)["scores"]
    assert isinstance(scores, dict)
    assert 2 == scores["overall"]["support"]
    [message] = caplog.messages
    assert message.startswith("the model does not have the types location (1); it has LOC, MISC, ORG, PER.")
    assert message.endswith("they count as missed")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["animal=MISC"], "--rename animal: the file does not have that type; it has location, person"),
        (["person=HUMAN"], "the model does not have HUMAN; it has LOC, MISC, ORG, PER"),
    ],
)
def test_names_that_fit_neither_side(
    arguments: list[str], tmp_path: Path, names: list[str], told: str
) -> None:
    (tmp_path / "valid.txt").write_text(PEOPLE)
    with pytest.raises(DataError, match=told):
        report([*arguments, *(part for name in names for part in ("--rename", name))])


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
