"""A checkpoint gives the same tags on another machine, or is refused."""

import json
from pathlib import Path

import pytest
import torch

from models.checkpoints import golden
from models.checkpoints.format import GOLDEN, add_golden, load_checkpoint
from models.core.errors import CheckpointError
from models.inference.tagger import Tagger
from tests.support.tiny_checkpoint import tiny_checkpoint


def test_the_tags_of_a_new_checkpoint_are_recorded(tmp_path: Path) -> None:
    stored = load_checkpoint(tiny_checkpoint(tmp_path))
    assert 0 < len(stored.golden) <= len(golden.TEXTS)
    assert any(post["mentions"] for post in stored.golden)


def test_other_tags_than_recorded_refuse_the_checkpoint_by_name(tmp_path: Path) -> None:
    posts = json.loads((tiny_checkpoint(tmp_path) / GOLDEN).read_text())["posts"]
    tagged = next(post for post in posts if post["mentions"])
    tagged["mentions"][0][1] += 1
    add_golden(tmp_path, posts)
    with pytest.raises(CheckpointError, match="golden post"):
        Tagger.load(tmp_path, "cpu")


def test_another_confidence_refuses_it_too(tmp_path: Path) -> None:
    posts = json.loads((tiny_checkpoint(tmp_path) / GOLDEN).read_text())["posts"]
    next(post for post in posts if post["mentions"])["mentions"][0][3] -= 2 * golden.CONFIDENCE
    add_golden(tmp_path, posts)
    with pytest.raises(CheckpointError, match="golden post"):
        Tagger.load(tmp_path, "cpu")


def test_recording_leaves_the_weights_as_they_are(tmp_path: Path) -> None:
    tagger = Tagger.load(tiny_checkpoint(tmp_path), "cpu")
    before = {name: tensor.clone() for name, tensor in tagger.model.state_dict().items()}
    golden.record(tagger)
    assert all(torch.equal(before[name], tensor) for name, tensor in tagger.model.state_dict().items())
