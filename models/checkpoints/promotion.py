"""Replaces the checkpoint in use: compares the labels, and writes the pointer.

The labels must stay the same while workers run, because consumers depend on them.
"""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from models.core.errors import CheckpointError


def check_same_labels(new: Sequence[str], used: Sequence[str], what: str) -> None:
    """Raise CheckpointError unless both have the same labels; `what` is the one in use."""
    if set(new) != set(used):
        missing, more = sorted(set(used) - set(new)), sorted(set(new) - set(used))
        raise CheckpointError(
            f"the checkpoint's labels differ from {what}: it lacks {missing or 'none'} and adds {more or 'none'}"
        )


def labels_of(path: Path) -> list[str]:
    """The labels of the checkpoint at `path`. Raises CheckpointError."""
    from models.checkpoints.format import load_checkpoint  # late: it imports torch

    config = load_checkpoint(path).config
    try:
        return list(config[config["model"]]["labels"])
    except (KeyError, TypeError):
        raise CheckpointError(f"checkpoint {path}: its configuration has no labels") from None


def check_labels(labels: Sequence[str], used: Path) -> None:
    """Raise CheckpointError unless the checkpoint at `used` has the same labels; a broken checkpoint is ignored."""
    try:
        there = labels_of(used)
    except CheckpointError:
        return
    check_same_labels(labels, there, f"{used}, which is in use")


def point(pointer: Path, directory: Path) -> None:
    """Point `pointer` to `directory` atomically: readers see the old or the new path. Raises CheckpointError."""
    if pointer.is_dir():
        raise CheckpointError(
            f"{pointer} is a directory: give the pointer file that worker.checkpoint points to"
        )
    home, target = pointer.parent.resolve(), directory.resolve()
    text = str(target.relative_to(home) if target.is_relative_to(home) else target)
    new = ""
    try:
        home.mkdir(parents=True, exist_ok=True)
        handle, new = tempfile.mkstemp(dir=home, prefix=f".{pointer.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(new).chmod(0o644)  # mkstemp makes files that workers of another user could not read
        Path(new).replace(pointer)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(new).unlink()
        raise CheckpointError(f"pointer file {pointer} cannot be written: {error.strerror}") from None
