"""The checkpoint format: a directory of plain data files that cannot contain code.

    model.safetensors   weights in float16, or the model's and captioner's quantized
                        (models/checkpoints/quantization.py). Quantized weights and the segmenter's tensors (mostly
                        words and counts) are stored as one compressed stream each (models/checkpoints/compression.py).
                        Weights that come from a package are left out.
    config.json         model name, hyper-parameters, vocabularies, the segmenter's configuration
    metrics.json        measurements, with their data and command
    golden.json         posts and their tags, checked on load (models/checkpoints/golden.py)
    manifest.json       SHA-256 and size of every file above

Never a pickle: Tagger rejects a checkpoint directory that contains one. Names in the manifest or links that lead out of
the directory are always rejected. Reading verifies the manifest first; any error is a CheckpointError that names the
file. Wherever a directory is expected, a pointer file (models/checkpoints/pointer.py) is accepted too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.checkpoints.compression import compressed, restored
from models.checkpoints.pointer import resolve
from models.checkpoints.quantization import STEPS, packed, unpacked
from models.checkpoints.tensor_files import save_tensors
from models.core.errors import CheckpointError

FORMAT = 1
WEIGHTS, CONFIG, METRICS, MANIFEST = "model.safetensors", "config.json", "metrics.json", "manifest.json"
GOLDEN = "golden.json"
MODEL, CAPTIONER, SEGMENTER = "model.", "captioner.", "segmenter."
"""Prefixes of the components' tensor names."""
SEGMENTER_STREAM, FEW_BITS_STREAM = "segmenter", "few_bits"
"""Names of the tensors that contain the compressed streams; without them, tensors are stored uncompressed."""
CAPTIONER_BITS = 8
"""For the captioner of a quantized checkpoint: unlike an ensemble's members, no others compensate its errors."""
PARTS = (WEIGHTS, CONFIG, METRICS, GOLDEN)
PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".npy", ".npz"})
"""Suffixes of files that are pickles, or may contain them."""


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: `tensors` by name in float32, and `id`, eight hex digits that identify its contents."""

    config: dict[str, Any]
    metrics: dict[str, Any]
    tensors: dict[str, Tensor]
    golden: list[dict[str, Any]]
    id: str


def save_checkpoint(
    directory: Path,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    bits: int | None = None,
    kept: Sequence[str] = (),
) -> None:
    """Write a checkpoint, manifest last. An existing one is overwritten.

    Floating-point tensors are stored as float16. With `bits`, the model's are quantized to this number of bits, and the
    captioner's to eight; tensors whose names match a pattern in `kept` stay float16.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.half()).all()):
            raise CheckpointError(f"weight {name} is not finite in float16; nothing was written")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MANIFEST).unlink(missing_ok=True)
    if bits is not None:
        rounded = _packed(tensors, MODEL, bits, kept) | _packed(tensors, CAPTIONER, CAPTIONER_BITS, kept)
        tensors = {**tensors, **rounded}
    stored = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in tensors.items()
    }
    few = {name for name in stored if name.removesuffix(STEPS) + STEPS in stored}
    segmenter = {name for name in stored if name.startswith(SEGMENTER)}
    for stream, names, repeats in ((SEGMENTER_STREAM, segmenter, True), (FEW_BITS_STREAM, few, False)):
        if names:
            stored[stream] = compressed({name: stored.pop(name) for name in sorted(names)}, repeats)
    save_tensors(stored, directory / WEIGHTS)
    _write_json(directory / CONFIG, {"format": FORMAT, **config})
    _write_json(directory / METRICS, metrics)
    add_golden(directory, [])


def _packed(tensors: Mapping[str, Tensor], part: str, bits: int, kept: Sequence[str]) -> dict[str, Tensor]:
    return packed({name: tensor for name, tensor in tensors.items() if name.startswith(part)}, bits, kept)


def add_golden(directory: Path, golden: Sequence[Mapping[str, Any]]) -> None:
    """Write golden posts into the checkpoint, and the manifest of all its files."""
    _replace(directory, GOLDEN, {"posts": golden})


def replace_metrics(directory: Path, metrics: Mapping[str, Any]) -> None:
    """Write other metrics into the checkpoint, and the manifest of all its files."""
    _replace(directory, METRICS, metrics)


def _replace(directory: Path, name: str, value: Mapping[str, Any]) -> None:
    (directory / MANIFEST).unlink(missing_ok=True)
    _write_json(directory / name, value)
    files = {part: _fingerprint(directory / part) for part in PARTS}
    _write_json(directory / MANIFEST, {"format": FORMAT, "files": files})


def verify(path: Path) -> dict[str, Any]:
    """The manifest of the checkpoint at `path`, after every file has been verified against it."""
    directory = resolve(path)
    _refuse_links(directory, MANIFEST)
    manifest = _read_json(directory / MANIFEST)
    files = manifest.get("files")
    if manifest.get("format") != FORMAT or not isinstance(files, dict):
        raise CheckpointError(f"checkpoint {directory}: {MANIFEST} does not have format {FORMAT}")
    for name in files:
        if name not in PARTS:
            raise CheckpointError(
                f"checkpoint {directory}: {MANIFEST} lists {name!r}, which is not a checkpoint file"
            )
    for name in PARTS:
        if name not in files:
            raise CheckpointError(f"checkpoint {directory}: {MANIFEST} does not list {name}")
        if not (directory / name).is_file():
            raise CheckpointError(f"checkpoint {directory}: {name} is missing")
        _refuse_links(directory, name)
        if _fingerprint(directory / name) != files[name]:
            raise CheckpointError(
                f"checkpoint {directory}: {name} is damaged (its SHA-256 differs from the manifest)"
            )
    return manifest


def refuse_pickles(directory: Path) -> None:
    """Raise CheckpointError if `directory` contains a pickle: it is not loaded here, but could be elsewhere.

    For checkpoints in use; the folder of a training run has its own state beside the checkpoint.
    """
    for path in sorted(directory.rglob("*")):
        if path.suffix.lower() in PICKLES or (path.is_file() and _begins_like_a_pickle(path)):
            name = path.relative_to(directory)
            raise CheckpointError(
                f"checkpoint {directory}: {name} looks like a pickle, which can run code; remove it"
            )


def _begins_like_a_pickle(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError:
        return False
    # PROTO, the first opcode of every protocol since Python 2.3
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _refuse_links(directory: Path, name: str) -> None:
    if not (directory / name).resolve().is_relative_to(directory.resolve()):
        raise CheckpointError(f"checkpoint {directory}: {name} is a link that leads out of the directory")


def load_checkpoint(path: Path) -> Checkpoint:
    """Verify and read the checkpoint at `path`. Raises CheckpointError for missing, damaged or non-finite data."""
    directory = resolve(path)
    manifest = verify(directory)
    try:
        tensors = load_file(directory / WEIGHTS)
        for stream in {SEGMENTER_STREAM, FEW_BITS_STREAM} & tensors.keys():
            tensors |= restored(tensors.pop(stream))
        tensors = unpacked(tensors)
    # RuntimeError: quantization steps that do not match their weight.
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"checkpoint {directory}: {WEIGHTS} cannot be read: {error}") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            if not bool(torch.isfinite(tensor).all()):
                raise CheckpointError(f"checkpoint {directory}: weight {name} is not finite")
            tensors[name] = tensor.float()
    config = _read_json(directory / CONFIG)
    if config.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint {directory}: {CONFIG} has format {config.get('format')!r}, expected {FORMAT}"
        )
    identity = json.dumps(manifest, sort_keys=True).encode()
    return Checkpoint(
        config=config,
        metrics=_read_json(directory / METRICS),
        tensors=tensors,
        golden=_read_json(directory / GOLDEN)["posts"],
        id=hashlib.sha256(identity).hexdigest()[:8],
    )


def _fingerprint(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"checkpoint {path.parent}: {path.name} cannot be read: {error.strerror}"
        ) from None
    return {"sha256": digest, "bytes": path.stat().st_size}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"checkpoint {path.parent}: {path.name} cannot be read: {error.strerror}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"checkpoint {path.parent}: {path.name} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"checkpoint {path.parent}: {path.name} must contain a JSON object")
    return value
