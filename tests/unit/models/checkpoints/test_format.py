"""A checkpoint is what its manifest says, or it is refused with the reason in one line."""

import json
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.checkpoints.compression import XZ
from models.checkpoints.format import (
    CAPTIONER,
    CONFIG,
    FEW_BITS_STREAM,
    MANIFEST,
    MODEL,
    SEGMENTER_STREAM,
    WEIGHTS,
    _fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from models.checkpoints.pointer import resolve
from models.checkpoints.promotion import check_labels
from models.cli import checkpoint
from models.core.errors import CheckpointError
from models.inference.tagger import Tagger
from tests.support.tiny_checkpoint import tiny_checkpoint


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "tiny")


def test_the_same_checkpoint_gives_the_same_tags_and_version(directory: Path) -> None:
    text = "Toronto Maple Leafs won in #Toronto"
    first, second = Tagger.load(directory, "cpu"), Tagger.load(directory, "cpu")
    assert first.version == second.version
    assert first.tag([text]) == second.tag([text])


def test_other_weights_are_another_version(directory: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint(tmp_path / "other", seed=8)
    assert Tagger.load(directory, "cpu").version != Tagger.load(other, "cpu").version


def flip_a_byte(directory: Path) -> None:
    weights = directory / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")


def forge_manifest(directory: Path, **changed: object) -> None:
    """Change the configuration and make the manifest agree: what is left is the loader's own judgement."""
    config = json.loads((directory / CONFIG).read_text())
    (directory / CONFIG).write_text(json.dumps(config | changed))
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"][CONFIG] = _fingerprint(directory / CONFIG)
    (directory / MANIFEST).write_text(json.dumps(manifest))


def list_more(directory: Path, name: str) -> None:
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"][name] = manifest["files"][CONFIG]
    (directory / MANIFEST).write_text(json.dumps(manifest))


def link_out(directory: Path) -> None:
    """The same bytes, so that the manifest agrees."""
    outside = directory.parent / "outside.json"
    (directory / CONFIG).rename(outside)
    (directory / CONFIG).symlink_to(outside)


def forge_weights(directory: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Change the tensors and make the manifest agree."""
    tensors = load_file(directory / WEIGHTS)
    change(tensors)
    save_file(tensors, directory / WEIGHTS)
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"][WEIGHTS] = _fingerprint(directory / WEIGHTS)
    (directory / MANIFEST).write_text(json.dumps(manifest))


def one_is_no_number(tensors: dict[str, Tensor]) -> None:
    next(iter(tensors.values())).view(-1)[0] = float("nan")


def steps_do_not_fit(tensors: dict[str, Tensor]) -> None:
    """As if a weight had been stored in eight bits, by steps of another one."""
    tensors["model.emit.weight.steps"] = torch.ones(2, 1)


def relabel(directory: Path, labels: list[str]) -> None:
    config = json.loads((directory / CONFIG).read_text())
    forge_manifest(directory, trimod={**config["trimod"], "labels": labels})


def test_a_weight_in_four_bits_takes_half_a_byte_at_most(tmp_path: Path) -> None:
    """Which it would not as it is packed, in a byte; the captioner's are in eight bits, whatever the model's are."""
    torch.manual_seed(1)
    weights = {f"{part}weight": torch.randn(400, 500) for part in (MODEL, CAPTIONER)}
    save_checkpoint(tmp_path, {}, {}, weights, bits=4)
    assert (tmp_path / WEIGHTS).stat().st_size < 1.5 * 400 * 500
    # By Huffman's code, not by xz, which takes weights a hundred times as long.
    assert not load_file(tmp_path / WEIGHTS)[FEW_BITS_STREAM].numpy().tobytes().startswith(XZ)
    found = load_checkpoint(tmp_path).tensors
    assert weights.keys() == found.keys()
    for name, steps in ((f"{MODEL}weight", 7), (f"{CAPTIONER}weight", 127)):
        largest = weights[name].abs().amax(dim=1, keepdim=True)
        assert ((found[name] - weights[name]).abs() <= 0.57 * largest / steps).all()


def test_other_files_beside_are_no_harm(directory: Path) -> None:
    (directory / "README.md").write_text("what this is")
    assert Tagger.load(directory, "cpu").version


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_the_umask_says_who_may_read_a_checkpoint(tmp_path: Path, umask: int, mode: int) -> None:
    """Workers may run as another user than whoever trained."""
    before = os.umask(umask)
    try:
        path = tiny_checkpoint(tmp_path / "checkpoint")
    finally:
        os.umask(before)
    assert {mode} == {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_byte, "model.safetensors is damaged"),
        (lambda d: (d / WEIGHTS).unlink(), "model.safetensors is missing"),
        (lambda d: (d / MANIFEST).unlink(), "manifest.json cannot be read"),
        (lambda d: (d / MANIFEST).write_text("{"), "manifest.json is not valid JSON"),
        (lambda d: (d / MANIFEST).write_text("{}"), "does not have format 1"),
        (lambda d: forge_manifest(d, model="other"), "unknown model 'other'; known models: committee, cwi"),
        (lambda d: forge_manifest(d, vocabulary={"words": [], "characters": []}), "do not fit"),
        (lambda d: (d / "extra.pt").write_bytes(b"PK"), "extra.pt looks like a pickle"),
        (lambda d: (d / "notes").write_bytes(pickle.dumps({})), "notes looks like a pickle"),
        (
            lambda d: list_more(d, "../../etc/passwd"),
            "lists '../../etc/passwd', which is not a checkpoint file",
        ),
        (lambda d: list_more(d, "model.py"), "lists 'model.py', which is not a checkpoint file"),
        (lambda d: link_out(d), "config.json is a link that leads out of the directory"),
        (lambda d: forge_weights(d, one_is_no_number), "is not finite"),
        (
            lambda d: forge_weights(d, steps_do_not_fit),
            "model.safetensors cannot be read: The size of tensor",
        ),
        (
            lambda d: forge_weights(d, lambda found: found[SEGMENTER_STREAM].add_(1)),
            "model.safetensors cannot be read: not compressed tensors",
        ),
        (lambda d: relabel(d, ["O", "B-PER", "I-PER"]), "do not fit"),
    ],
)
def test_what_is_wrong_is_named(directory: Path, damage: Callable[[Path], None], reason: str) -> None:
    damage(directory)
    with pytest.raises(CheckpointError, match=reason) as error:
        Tagger.load(directory, "cpu")
    assert "\n" not in str(error.value)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="neither a directory nor a pointer file"):
        Tagger.load(tmp_path / "none")


def promote(directory: Path, pointer: Path) -> Result:
    return CliRunner().invoke(checkpoint, ["promote", str(directory), "--pointer", str(pointer)])


def test_promote_tries_the_checkpoint_first_and_points_to_it(directory: Path, tmp_path: Path) -> None:
    other, pointer = tiny_checkpoint(tmp_path / "other", seed=8), tmp_path / "current"
    assert 0 == promote(directory, pointer).exit_code
    assert directory == resolve(pointer)
    said = promote(other, pointer)
    assert (0, other) == (said.exit_code, resolve(pointer))
    assert Tagger.load(pointer, "cpu").version in said.output


def test_promote_refuses_what_is_damaged_and_changes_nothing(directory: Path, tmp_path: Path) -> None:
    other, pointer = tiny_checkpoint(tmp_path / "other", seed=8), tmp_path / "current"
    assert 0 == promote(directory, pointer).exit_code
    flip_a_byte(other)
    refused = promote(other, pointer)
    assert "model.safetensors is damaged" in str(refused.exception)
    assert directory == resolve(pointer)


def test_promote_refuses_other_labels(directory: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lacks \['B-LOC'.* and adds \['B-THING'\]"):
        check_labels(["O", "B-PER", "I-PER", "B-THING"], directory)
    check_labels(Tagger.load(directory, "cpu").labels, directory)
