"""Weights in eight bits, for checkpoints that have to be small: half the bytes of float16.

A matrix is stored as int8 with one float16 step for each row, or each column where these are fewer, so that a weight
is off by half a step at most: 1/254 of the largest in its row. Symmetric around zero, by the largest, with no
calibration (as in Dettmers et al. 2022, arXiv:2208.07339, without its outliers). Weights are read back into float32:
this saves space on disk and in a repository, not time. Vectors and small matrices stay as they are.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

STEPS = ".steps"
"""What a weight's steps are called, behind its name."""
LEAST = 256
"""Numbers that a matrix must have, for its steps to be worth their place."""
LARGEST = 127


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` by name, with every large floating-point matrix as int8 and its steps beside it."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.dim() != 2 or tensor.numel() < LEAST:
            found[name] = tensor
            continue
        across = 1 if tensor.shape[0] <= tensor.shape[1] else 0
        # Rounded to float16 first, so that the weights are divided by what they will be multiplied with.
        steps = (tensor.float().abs().amax(dim=across, keepdim=True) / LARGEST).half()
        # A row of zeros has no step; any will do.
        steps = torch.where(steps > 0, steps, 1.0)
        found[name] = (tensor.float() / steps.float()).round().clamp(-LARGEST, LARGEST).to(torch.int8)
        found[name + STEPS] = steps
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` was given, off by its rounding, in float32; all other tensors as they are."""
    return {
        name: tensor.float() * tensors[name + STEPS].float() if name + STEPS in tensors else tensor
        for name, tensor in tensors.items()
        if not name.endswith(STEPS)
    }
