"""Quantization of weights, for small checkpoints: four bits take less than a quarter of float16's bytes.

A matrix becomes integers (int8), with one float16 step per row, or per column if there are fewer columns. A weight is
off by at most half a step: with eight bits 1/254 of the largest weight in its row, with four bits 1/14. Quantization is
symmetric around zero, scaled by the largest weight, without calibration (as in Dettmers et al. 2022, arXiv:2208.07339,
without its outliers). Fewer than eight bits save space only after compression (models/checkpoints/compression.py): most
numbers are near zero, and four bits become three. Weights are read back into float32, so this saves space on disk and
in a repository, not time. Vectors and small matrices are unchanged."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor

STEPS = ".steps"
"""Suffix of the name of a weight's steps."""
LEAST = 256
"""Minimum size of a matrix for its steps to be worth their space."""


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
    """The inverse of `packed`, except for rounding, in float32; all other tensors are unchanged."""
    return {
        name: tensor.float() * tensors[name + STEPS].float() if name + STEPS in tensors else tensor
        for name, tensor in tensors.items()
        if not name.endswith(STEPS)
    }
