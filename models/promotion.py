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


def check_labels(labels: Sequence[str], used: Path) -> None:
    """Raise CheckpointError unless the checkpoint at `used` has just these labels; a broken one has no say."""
    from models.checkpoint import load_checkpoint  # late: it brings torch; comparing needs none

    try:
        config = load_checkpoint(used).config
        there = config[config["model"]]["labels"]
    except (CheckpointError, KeyError, TypeError):
        return
    check_same_labels(labels, there, f"{used}, which is in use")
