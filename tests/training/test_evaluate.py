"""`trimod evaluate`: spans in characters, the same for given tokens and for raw text where the cuts agree."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.labels import Span
from tests.checkpoints import tiny_checkpoint
from training.commands.evaluate import evaluate
from training.conll import LabelledPost
from training.evaluate import gold_spans

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


def test_captions_are_found_by_image_id(arguments: list[str], tmp_path: Path) -> None:
    assert 0 == report(arguments)["posts_with_image_words"]
    assert 1 == report([*arguments, "--captions", str(tmp_path / "captions.json")])["posts_with_image_words"]


def test_random_images_need_a_folder(arguments: list[str]) -> None:
    result = CliRunner().invoke(evaluate, [*arguments, "--random-images", "1"])
    assert 2 == result.exit_code
    assert "--images" in result.output
