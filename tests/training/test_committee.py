"""Checkpoints become a checkpoint that tags by their mean; what cannot sit together is refused by name."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from models.checkpoint import load_checkpoint
from models.encode import Vocabulary
from models.parts import Parts, build
from models.registry import create
from models.tagger import Tagger
from tests.checkpoints import CHARACTERS, WORDS, tiny_checkpoint, tiny_model
from training.commands.train_committee import committee
from training.committee import join
from training.conll import DataError
from training.export import export


def test_a_committee_is_a_checkpoint_like_any_other(tmp_path: Path) -> None:
    first, second = (tiny_checkpoint(tmp_path / str(seed), seed) for seed in (7, 8))
    data = tmp_path / "set"
    data.mkdir()
    (data / "valid.txt").write_text("Toronto\tB-LOC\nwon\tO\n")
    options = ["--member", str(first), "--member", str(second), "--data", str(data), "--visual", "none"]
    done = CliRunner().invoke(committee, [*options, "--out", str(tmp_path / "out")])
    assert 0 == done.exit_code, done.output
    stored = load_checkpoint(tmp_path / "out" / "checkpoint")
    assert {"set", "set text only"} == set(stored.metrics["valid"])
    assert [load_checkpoint(path).id for path in (first, second)] == [
        each["checkpoint"] for each in stored.metrics["members"]
    ]
    expected = (
        load_checkpoint(first).tensors["model.emit.bias"],
        load_checkpoint(second).tensors["model.emit.bias"],
    )
    members = [stored.tensors[f"model.members.{number}.emit.bias"] for number in (0, 1)]
    assert all(torch.equal(before, after) for before, after in zip(expected, members, strict=True))
    assert Tagger.load(tmp_path / "out" / "checkpoint").tag(["Toronto Maple Leafs won"])


def test_what_cannot_sit_together_is_refused(tmp_path: Path) -> None:
    first = tiny_checkpoint(tmp_path / "first")
    parts = build(load_checkpoint(first))
    cwi = {"labels": tuple(parts.model.crf.labels), "glove_size": 6, "fasttext_size": 6}
    others = {
        "of model cwi": Parts(
            "cwi", create("cwi", cwi, WORDS.size, CHARACTERS.size), WORDS, CHARACTERS, parts.segmenter
        ),
        "knows other words": Parts(
            "trimod", tiny_model(), Vocabulary(WORDS.entries[::-1]), CHARACTERS, parts.segmenter
        ),
    }
    with pytest.raises(DataError, match="two members or more"):
        join([first], [], "none", "cpu", tmp_path / "out")
    with pytest.raises(DataError, match="captions:NAME, or none"):
        join([first, first], [], "pixels", "cpu", tmp_path / "out")
    for reason, other in others.items():
        path = tmp_path / reason.replace(" ", "-")
        export(path, other, {}, {}, "")
        with pytest.raises(DataError, match=f"{path} cannot be in a committee with .*{reason}"):
            join([first, path], [], "none", "cpu", tmp_path / "out")
    assert not (tmp_path / "out").exists()
