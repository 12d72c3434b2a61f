"""A checkpoint is what its manifest says, or it is refused with the reason in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from models.checkpoint import CONFIG, MANIFEST, WEIGHTS, _fingerprint
from models.errors import CheckpointError
from models.tagger import Tagger
from tests.checkpoints import tiny_checkpoint


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


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_byte, "model.safetensors is damaged"),
        (lambda d: (d / WEIGHTS).unlink(), "model.safetensors is missing"),
        (lambda d: (d / MANIFEST).unlink(), "manifest.json cannot be read"),
        (lambda d: (d / MANIFEST).write_text("{"), "manifest.json is no JSON"),
        (lambda d: (d / MANIFEST).write_text("{}"), "not of format 1"),
        (lambda d: forge_manifest(d, model="other"), "unknown model 'other'; known are: cwi"),
        (lambda d: forge_manifest(d, vocabulary={"words": [], "characters": []}), "do not fit"),
    ],
)
def test_what_is_wrong_is_named(directory: Path, damage: Callable[[Path], None], reason: str) -> None:
    damage(directory)
    with pytest.raises(CheckpointError, match=reason) as error:
        Tagger.load(directory, "cpu")
    assert "\n" not in str(error.value)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        Tagger.load(tmp_path / "none")
