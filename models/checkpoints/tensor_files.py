"""Tensors to a file that whoever may read what this process writes may read too.

safetensors' own `save_file` makes files for their owner alone (mode 0600), whatever the umask says: a worker that runs
as another user could not load them.
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write `tensors`, which must be contiguous, as safetensors; the umask says who may read them."""
    path.write_bytes(save(dict(tensors)))
