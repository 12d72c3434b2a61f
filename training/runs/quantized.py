"""Stores a trained checkpoint again in few bits (models/checkpoints/quantization.py). Nothing is trained.

Golden posts are tagged by the stored weights, and the scores in metrics.json are measured on them, as they are served.
"""

from collections.abc import Sequence
from fnmatch import filter as matching
from pathlib import Path
from typing import Any

from models.checkpoints.components import build, frozen_sha256
from models.checkpoints.format import Checkpoint, load_checkpoint, replace_metrics
from models.checkpoints.pointer import resolve
from models.inference.tagger import Tagger
from training.data.controls import with_text_only
from training.data.datasets import Sample, files_read, read_folder
from training.engine.progress import TrainingProgress
from training.engine.trainer import plain
from training.errors import DataError
from training.evaluation.measure import measure
from training.provenance import data_hashes, typed
from training.runs.export import export


def store_in_bits(
    source: Path, folders: Sequence[Path], device: str, out: Path, bits: int, kept: Sequence[str] = ()
) -> Path:
    """Write the checkpoint `source` in `bits` to `out/checkpoint`, scored on the validation sets of `folders`.

    kept: patterns of names whose weights stay in float16. Raises DataError before anything is written.
    """
    directory = out / "checkpoint"
    stored = load_checkpoint(source)
    visual = stored.metrics.get("visual", "none")
    _check(source, directory, stored, visual, kept)
    sets = {folder.name: read_folder(folder, "valid", visual) for folder in folders}
    hashes = data_hashes(files_read(folders, ["valid"], visual))
    metrics = {
        **stored.metrics,
        "visual": visual,
        "data": {**stored.metrics.get("data", {}), **hashes},
        "quantized": {"checkpoint": stored.id, "bits": bits, "float16": [*kept], "command": typed()},
    }
    # The source's scores are not those of the new weights: none until these are measured.
    unscored = {**metrics, "valid": {}}
    parts = build(stored)
    export(directory, parts, {}, unscored, frozen_sha256(parts.model), stored.config["name"], bits, kept)
    replace_metrics(directory, {**metrics, "valid": _scores(Tagger.load(directory, device), sets)})
    return directory


def _check(source: Path, directory: Path, stored: Checkpoint, visual: str, kept: Sequence[str]) -> None:
    if resolve(source).resolve() == directory.resolve():
        raise DataError(f"{directory} is the checkpoint to read: choose another folder to write")
    if visual == "pixels":
        raise DataError(f"{source} reads pixels: only captions:NAME, or none, can be scored")
    for pattern in kept:
        if not matching(stored.tensors, pattern):
            raise DataError(f"no weight of {source} has a name like {pattern!r}")


def _scores(tagger: Tagger, sets: dict[str, list[Sample]]) -> dict[str, Any]:
    """By the names of training/engine/trainer.py's `validate`, but as `trimod evaluate` measures: not in bfloat16."""
    inputs = dict(pair for name, samples in sets.items() for pair in with_text_only(name, samples).items())
    with TrainingProgress(transient=True) as progress:
        return plain({name: measure(tagger, each, progress, name).strict for name, each in inputs.items()})
