"""Weights in a few bits each, for checkpoints that have to be small: in four, less than a quarter of float16's bytes.

A matrix becomes whole numbers as int8, with one float16 step for each row, or each column where these are fewer, so
that a weight is off by half a step at most: in eight bits 1/254 of the largest in its row, in four 1/14. Symmetric
around zero, by the largest, with no calibration (as in Dettmers et al. 2022, arXiv:2208.07339, without its outliers).
Numbers of fewer than eight bits take less room only where they are compressed (models/checkpoints/compression.py): most
are near zero, and four bits become three. Weights are read back into float32: this saves space on disk and in a
repository, not time. Vectors and small matrices stay as they are."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor

STEPS = ".steps"
"""What a weight's steps are called, behind its name."""


LEAST = 256
"""Numbers that a matrix must have, for its steps to be worth their place."""


def packed(tensors: Mapping[str, Tensor], bits: int, kept: Sequence[str] = ()) -> dict[str, Tensor]:
    """`tensors` by name; large floating-point matrices in 2 to 8 `bits`, as int8, and their steps beside them.

    kept: patterns (fnmatch) of names that stay as they are.
    """
    largest = 2 ** (bits - 1) - 1
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        large = tensor.is_floating_point() and tensor.dim() == 2 and tensor.numel() >= LEAST
        if not large or any(fnmatchcase(name, pattern) for pattern in kept):
            found[name] = tensor
            continue
        across = 1 if tensor.shape[0] <= tensor.shape[1] else 0
        # Rounded to float16 first, so that the weights are divided by what they will be multiplied with.
        steps = (tensor.float().abs().amax(dim=across, keepdim=True) / largest).half()
        # A row of zeros has no step; any will do.
        steps = torch.where(steps > 0, steps, 1.0)
        found[name] = (tensor.float() / steps.float()).round().clamp(-largest, largest).to(torch.int8)
        found[name + STEPS] = steps
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` was given, off by its rounding, in float32; all other tensors as they are."""
    return {
        name: tensor.float() * tensors[name + STEPS].float() if name + STEPS in tensors else tensor
        for name, tensor in tensors.items()
        if not name.endswith(STEPS)
    }
