"""Selecting an engine: names, the guard, `auto` and its cache, and what the engine does to the weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models import DEFAULT_CHECKPOINT
from models.checkpoints.format import load_checkpoint
from models.core.errors import CheckpointError
from models.inference import selection
from models.inference.selection import select
from models.inference.tagger import Tagger
from models.inference.torch_engine import TorchEngine, runs_bf16
from tests.support.tiny_checkpoint import tiny_checkpoint

TEXTS = ["Auston Matthews scores in Toronto", "Angela Merkel met Barack Obama in Berlin"]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(selection, "DATA", tmp_path / "data")
    monkeypatch.setattr(selection, "runs_bf16", lambda device: True)
    monkeypatch.setattr(selection, "has_encoder", lambda model: True)
    return tmp_path / "data"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path)


def dtypes(tagger: Tagger) -> set[torch.dtype]:
    return {parameter.dtype for parameter in tagger.model.parameters()}


def seconds(**of: float) -> Any:
    """A clock for `_time`: seconds per batch by precision."""
    return lambda tagger, device: of[tagger._engine.precision]


def test_exact_is_the_default(checkpoint: Path) -> None:
    tagger = Tagger.load(checkpoint, "cpu")
    assert tagger.version == Tagger.load(checkpoint, "cpu", engine="exact").version
    assert tagger.version.endswith(".cpu.fp32")


def test_an_unknown_engine_is_an_error_that_lists_the_known_ones(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="engine 'fast' is unknown: use auto, exact or one of"):
        Tagger.load(checkpoint, "cpu", engine="fast")


def test_auto_takes_the_faster_and_stores_it(
    checkpoint: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_time", seconds(fp32=2.0, bf16=1.0))
    assert Tagger.load(checkpoint, "cpu", engine="auto").version.endswith(".cpu.bf16")
    assert ["torch-bf16"] == list(json.loads((data / "engines.json").read_text()).values())
    monkeypatch.setattr(selection, "_time", None)  # a second start times nothing
    assert Tagger.load(checkpoint, "cpu", engine="auto").version.endswith(".cpu.bf16")


def test_auto_stays_exact_where_that_is_faster(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_time", seconds(fp32=1.0, bf16=2.0))
    tagger = Tagger.load(checkpoint, "cpu", engine="auto")
    assert (True, {torch.float32}) == (tagger.version.endswith(".cpu.fp32"), dtypes(tagger))


@pytest.mark.parametrize("lacks", ["runs_bf16", "has_encoder"])
def test_auto_times_nothing_where_there_is_nothing_to_gain(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    monkeypatch.setattr(selection, lacks, lambda what: False)
    monkeypatch.setattr(selection, "_time", None)
    assert Tagger.load(checkpoint, "cpu", engine="auto").version.endswith(".cpu.fp32")


@pytest.mark.parametrize("stored", [b"", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_cache_is_ignored(
    checkpoint: Path, data: Path, stored: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.mkdir()
    (data / "engines.json").write_bytes(stored)
    monkeypatch.setattr(selection, "_time", seconds(fp32=2.0, bf16=1.0))
    assert Tagger.load(checkpoint, "cpu", engine="auto").version.endswith(".cpu.bf16")


def test_an_engine_that_fails_the_guard_is_refused_by_name_and_replaced_by_auto(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The golden post here is one that no engine tags as recorded; the exact engine is not checked against it."""
    tagger = Tagger.load(checkpoint, "cpu")
    golden = [{"text": "in Riga", "mentions": [[0, 2, "PER", 1.0]]}]
    with pytest.raises(
        CheckpointError, match="engine torch-bf16 cannot serve this checkpoint: golden post 'in Riga'"
    ):
        select(tagger, "torch-bf16", golden, "id")
    assert tagger.version.endswith(".cpu.fp32")
    select(tagger, "auto", golden, "id")
    assert tagger.version.endswith(".cpu.fp32")
    assert "engine torch-bf16 failed the guard" in caplog.text


def test_the_exact_weights_come_back(checkpoint: Path) -> None:
    tagger = Tagger.load(checkpoint, "cpu")
    before = tagger.tag(TEXTS)
    engine = TorchEngine(tagger.model, "bf16")
    assert {torch.float32, torch.bfloat16} >= dtypes(tagger)
    engine.close()
    assert {torch.float32} == dtypes(tagger)
    tagger.use(TorchEngine(tagger.model))
    assert before == tagger.tag(TEXTS)


@pytest.mark.slow
def test_the_shipped_checkpoint_serves_in_bf16() -> None:
    """Alike alone and in a batch, and like float32 but for rounding."""
    if not runs_bf16(torch.device("cpu")):
        pytest.skip("this processor does not compute in bfloat16")
    exact, half = Tagger.load(device="cpu"), Tagger.load(device="cpu", engine="torch-bf16")
    assert {torch.float32, torch.bfloat16} == dtypes(half)
    texts = [post["text"] for post in load_checkpoint(DEFAULT_CHECKPOINT).golden]
    for one, other in zip(exact.tag(texts), half.tag(texts), strict=True):
        assert [(m.start, m.end, m.type) for m in one] == [(m.start, m.end, m.type) for m in other]
        assert [m.confidence for m in one] == pytest.approx([m.confidence for m in other], abs=0.05)
