"""The parts of the shipped checkpoint, measured through the command on files small enough to count by hand."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from models import DEFAULT_CHECKPOINT
from tests.support.tiny_checkpoint import tiny_checkpoint
from training.captioning.flickr8k import split
from training.cli.experiment import experiment
from training.errors import DataError
from training.experiments import on_components as part_experiments
from training.hashtags.scoring import DEV_FILES


def run(name: str, data: Path, out: Path, checkpoint: Path = DEFAULT_CHECKPOINT) -> Result:
    asked = [name, str(checkpoint), "--data", str(data), "--out", str(out)]
    return CliRunner().invoke(experiment, asked)


def table_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "table.json").read_text())
    return found


@pytest.fixture
def hashtags(tmp_path: Path) -> Path:
    """Per dev file one that is right, one wrong by intention, and one that a training file has in other case."""
    folder = tmp_path / "data" / "hashtags"
    folder.mkdir(parents=True)
    for name in DEV_FILES:
        rows = ["goodmorning\tgood morning", "peace\tp eac e", "newyork\tnew york"]
        (folder / f"{name}.tsv").write_text("\n".join(rows))
    (folder / "stan_large.train.tsv").write_text("NewYork\tNew York")
    (folder / "hashset_distant.tsv").write_text("")
    (folder / "hashset_manual.jsonl").write_text("")
    return tmp_path / "data"


def test_hashtags_are_counted_right_beside_wordninjas_and_without_those_met(
    hashtags: Path, tmp_path: Path
) -> None:
    run("hashtags", hashtags, tmp_path / "out")
    found, two_of_three = table_of(tmp_path / "out"), pytest.approx(200 / 3)
    expected = [
        {"file": "boun.dev", "hashtags": 3, "wordninja": two_of_three, "trimod": two_of_three},
        {"file": "boun.dev, not met in training", "hashtags": 2, "wordninja": 50.0, "trimod": 50.0},
    ]
    assert expected == found["rows"][2:4]
    assert "hashtags/boun.dev.tsv" in found["facts"]["data"]
    assert (tmp_path / "out" / "figure.png").stat().st_size > 1_000


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data" / "flickr8k"
    (folder / "images").mkdir(parents=True)
    names = [f"{number}.jpg" for number in range(3)]
    for name in names:
        Image.new("RGB", (64, 64), "green").save(folder / "images" / name)
    rows = [f"{name},a dog runs through the green grass" for name in names]
    (folder / "captions.csv").write_text("\n".join(["image,caption", *rows]))
    monkeypatch.setattr(part_experiments, "split", partial(split, held_back=1))
    return tmp_path / "data"


def test_captions_are_of_the_held_back_photographs(photographs: Path, tmp_path: Path) -> None:
    run("captions", photographs, tmp_path / "out")
    [row] = table_of(tmp_path / "out")["rows"]
    assert ("trimod", 1) == (row["checkpoint"], row["photographs"])
    assert 0 <= row["BLEU-4"] <= 100


def test_a_checkpoint_without_a_captioner_is_refused(photographs: Path, tmp_path: Path) -> None:
    tiny = tiny_checkpoint(tmp_path / "tiny")
    refused = run("captions", photographs, tmp_path / "out", tiny).exception
    assert isinstance(refused, DataError)
    assert f"checkpoint {tiny} has no captioner" == str(refused)
