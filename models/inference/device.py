"""Chooses the device for tagging."""

import torch

from models.core.errors import CheckpointError


def choose_device(name: str) -> torch.device:
    """The device `name`: `cpu`, `cuda`, `cuda:N`, or `auto` (CUDA if available). Raises CheckpointError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()) or (kind == "cpu" and number):
        raise CheckpointError(f"unknown device {name!r}: use auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise CheckpointError(
            f"device {name} is not available: torch finds {torch.cuda.device_count()} CUDA devices"
        )
    return torch.device(name)
