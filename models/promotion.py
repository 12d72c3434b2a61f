"""Whether one checkpoint may take another's place while workers run: consumers must find the same labels."""

from collections.abc import Sequence
from pathlib import Path

from models.errors import CheckpointError


def check_same_labels(new: Sequence[str], used: Sequence[str], what: str) -> None:
    """Raise CheckpointError unless both have the same labels; `what` is the one in use."""
    if set(new) != set(used):
        missing, more = sorted(set(used) - set(new)), sorted(set(new) - set(used))
        raise CheckpointError(
            f"the checkpoint's labels are not those of {what}: it lacks {missing or 'none'} and adds {more or 'none'}"
        )


def labels_of(path: Path) -> list[str]:
    """The labels of the checkpoint at `path`. Raises CheckpointError."""
    from models.checkpoint import load_checkpoint  # late: it brings torch; comparing needs none

    config = load_checkpoint(path).config
    try:
        return list(config[config["model"]]["labels"])
    except (KeyError, TypeError):
        raise CheckpointError(f"checkpoint {path}: its configuration names no labels") from None


def check_labels(labels: Sequence[str], used: Path) -> None:
    """Raise CheckpointError unless the checkpoint at `used` has just these labels; a broken one has no say."""
    try:
        there = labels_of(used)
    except CheckpointError:
        return
    check_same_labels(labels, there, f"{used}, which is in use")
