"""The state of a training run in a file, from which the run goes on after it was stopped; and one process at a time."""

import fcntl
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

LOCK = "lock"
"""In a run's folder, the file that its process has."""


log = logging.getLogger(__name__)


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Written beside and moved, so that a run that is killed in the middle leaves the last whole file."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Within, no other process has `path`, a file that is made if need be: one that has is waited for, and it is said.

    Experiments share runs and silver labels, so that two of them side by side come to the same ones.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: another process works here, waiting until it ends", path)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
