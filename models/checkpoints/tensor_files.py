"""Writes tensors to a file whose permissions follow the umask.

safetensors' own `save_file` makes files readable by their owner only (mode 0600), regardless of the umask. A worker
that runs as another user could not load them.
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write `tensors`, which must be contiguous, as safetensors; the umask sets who may read them."""
    path.write_bytes(save(dict(tensors)))
