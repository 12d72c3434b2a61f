"""A checkpoint stored again in few bits: smaller, and scored and tried as it is stored."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from models.checkpoints.compression import restored
from models.checkpoints.format import FEW_BITS_STREAM, WEIGHTS, load_checkpoint
from models.checkpoints.golden import record
from models.core.errors import TrimodError
from models.core.labels import tags_of
from models.core.visual_context import VisualContext
from models.inference.tagger import Tagger
from tests.support.tiny_checkpoint import tiny_checkpoint
from training.cli.evaluate import evaluate
from training.cli.train_quantized import quantized
from training.evaluation.evaluate import joined
from training.evaluation.measure import token_spans


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    data = tmp_path / "set"
    data.mkdir()
    (data / "valid.txt").write_text("Toronto\tB-LOC\nwon\tO\n")
    source = tiny_checkpoint(tmp_path / "source" / "checkpoint")
    return [str(source), "--data", str(data), "--out", str(tmp_path / "out"), "--device", "cpu"]


def invoke(arguments: list[str]) -> Result:
    return CliRunner().invoke(quantized, arguments, catch_exceptions=False)


def test_it_is_smaller_and_its_golden_posts_are_its_own(arguments: list[str], tmp_path: Path) -> None:
    """Four bits move confidences: the source's golden posts would not be what the new weights say."""
    assert 0 == invoke([*arguments, "--bits", "4"]).exit_code
    source, written = tmp_path / "source" / "checkpoint", tmp_path / "out" / "checkpoint"
    assert (source / WEIGHTS).stat().st_size > 1.2 * (written / WEIGHTS).stat().st_size
    before, after = load_checkpoint(source), load_checkpoint(written)
    assert record(Tagger.load(written, "cpu")) == after.golden
    assert before.golden != after.golden


def test_metrics_are_of_the_stored_weights(arguments: list[str], tmp_path: Path) -> None:
    """The gold is the source's own answer: 100 for it, and less for three bits."""
    source, written = tmp_path / "source" / "checkpoint", tmp_path / "out" / "checkpoint"
    tokens = ["Toronto", "Leafs", "won", "in", "the", "a", "hockey", "player", "Maple", "Leafs", "won"] * 3
    text, found = joined(tokens)
    tagger = Tagger.load(source, "cpu")
    [mentions] = tagger.tag_seen([tagger.prepare_tokens(text, found)], [VisualContext()])
    tags = tags_of(token_spans(tokens, mentions), len(tokens))
    valid = tmp_path / "set" / "valid.txt"
    valid.write_text("".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True)))
    assert 0 == invoke([*arguments, "--bits", "3"]).exit_code
    f1 = {name: f1_of(path, valid) for name, path in (("source", source), ("written", written))}
    metrics = load_checkpoint(written).metrics
    assert 100.0 == f1["source"] > f1["written"] == metrics["valid"]["set"]["overall"]["f1"]
    assert {"set/valid.txt"} == metrics["data"].keys()
    assert (load_checkpoint(source).id, 3) == tuple(
        metrics["quantized"][key] for key in ("checkpoint", "bits")
    )
    assert metrics["untrained"]


def f1_of(checkpoint: Path, valid: Path) -> float:
    arguments = [str(checkpoint), "--data", str(valid), "--device", "cpu", "--json"]
    return float(json.loads(CliRunner().invoke(evaluate, arguments, catch_exceptions=False).stdout)["f1"])


def test_weights_that_are_named_stay_as_they_are(arguments: list[str], tmp_path: Path) -> None:
    invoke([*arguments, "--float16", "model.context.*"])
    before, after = (load_checkpoint(tmp_path / name / "checkpoint") for name in ("source", "out"))
    few = restored(load_file(tmp_path / "out" / "checkpoint" / WEIGHTS)[FEW_BITS_STREAM])
    context = [name for name in before.tensors if name.startswith("model.context.")]
    assert all(torch.equal(before.tensors[name], after.tensors[name]) for name in context)
    assert not few.keys() & set(context)
    assert few.keys()


def test_what_cannot_be_done_is_refused_before_anything_is_written(
    arguments: list[str], tmp_path: Path
) -> None:
    with pytest.raises(TrimodError, match=r"no weight of .* has a name like 'model\.nothing'"):
        invoke([*arguments, "--float16", "model.nothing"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(TrimodError, match="choose another folder to write"):
        invoke([*arguments, "--out", str(tmp_path / "source")])
