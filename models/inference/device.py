"""Which device tags."""

import torch

from models.core.errors import CheckpointError


def choose_device(name: str) -> torch.device:
    """The device called `name`: `cpu`, `cuda`, `cuda:N`, or `auto`, CUDA where there is one. Raises CheckpointError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()) or (kind == "cpu" and number):
        raise CheckpointError(f"device {name!r} is none of auto, cpu, cuda and cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise CheckpointError(
            f"device {name} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return torch.device(name)
