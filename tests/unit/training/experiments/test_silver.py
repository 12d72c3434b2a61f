"""Silver data from posts to a table: real labelling, real pixels, a tiny model trained on them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from tests.support.tiny_checkpoint import tiny_checkpoint
from tests.unit.training.experiments.test_registry import POSTS, TINY
from training.cli.experiment import experiment
from training.experiments import silver
from training.runs.presets import changed

COUNT = 20


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Posts with a picture each, and the labelled sets without any."""
    root = tmp_path / "data"
    for name in ("twitter2015", "twitter2017"):
        (root / name).mkdir(parents=True)
        (root / name / "valid.txt").write_text(POSTS)
    (root / "mvsa" / "images").mkdir(parents=True)
    lines = []
    for number in range(COUNT):
        Image.new("RGB", (48, 48), (number * 9, 80, 20)).save(root / "mvsa" / "images" / f"{number}.jpg")
        post = {
            "id": f"{number}",
            "text": f"Toronto Leafs won in Riga {number}",
            "image": f"images/{number}.jpg",
        }
        lines.append(json.dumps(post))
    (root / "mvsa" / "posts.jsonl").write_text("\n".join(lines))
    return root


@pytest.mark.slow
def test_silver_labels_train_on_pixels_and_are_scored_on_real_sets(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silver, "STUDENTS", ("trimod",))
    monkeypatch.setattr(silver, "PRESETS", {"trimod": changed(TINY, class_words=0.5)})
    tagged, other = (tiny_checkpoint(tmp_path / name, seed) for name, seed in (("one", 7), ("two", 3)))
    out, runs = tmp_path / "out", tmp_path / "runs"
    asked = ["silver", str(tagged), str(other), "--data", str(data), "--runs", str(runs), "--out", str(out)]
    asked += ["--seeds", "2"]
    result = CliRunner().invoke(experiment, asked, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    table = json.loads((out / "table.json").read_text())
    scored = [(row["model"], row.get("trained on"), row["scored on"]) for row in table["rows"]]
    assert [
        ("two", None, "mvsa, all posts"),
        ("trimod", "silver, none", "silver, text"),
        ("trimod", "silver, none", "twitter2015, text"),
        ("trimod", "silver, none", "twitter2017, text"),
        ("trimod", "silver, pixels", "silver, own image"),
        ("trimod", "silver, pixels", "silver, another's image"),
        ("trimod", "silver, pixels", "silver, no image"),
        ("trimod", "silver, pixels", "twitter2015, text"),
        ("trimod", "silver, pixels", "twitter2017, text"),
    ] == scored
    assert [None, 2] == [row.get("seeds") for row in table["rows"][:2]]
    folder = runs / "silver" / "one"
    held, kept = ((folder / f"{part}.txt").read_text().count("IMGID") for part in ("valid", "train"))
    assert (COUNT // 10, COUNT - COUNT // 10) == (held, kept)
    assert "mvsa/posts.jsonl" in table["facts"]["data"]
    noise = [
        json.loads(
            (runs / "silver" / f"one.trimod.{visual}.seed2" / "checkpoint" / "metrics.json").read_text()
        )["noise"]
        for visual in ("none", "pixels")
    ]
    assert [0.0, 0.5] == [each["class_words"] for each in noise]  # text alone has no words about images
    assert (out / "figure.png").stat().st_size > 1_000
