"""The state of a training run in a file, from which the run goes on after it was stopped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Written beside and moved, so that a run that is killed in the middle leaves the last whole file."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
