"""Chooses the number format for training: float32, or bfloat16 by autocast if that is measurably faster.

bfloat16 matrix products are several times faster on a GPU and on CPUs with AMX, but 9-18 times slower on other CPUs. So
a short measurement decides, once per process.
"""

import time
from contextlib import AbstractContextManager
from functools import cache

import torch

from models.architectures.base import SequenceTagger


def autocast(model: SequenceTagger) -> AbstractContextManager[None]:
    """A context in which `model` computes in the faster format for its device."""
    device = next(model.parameters()).device
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=in_bfloat16(model, device))


def in_bfloat16(model: SequenceTagger, device: torch.device) -> bool:
    """Whether `model` is trained in bfloat16 on `device`.

    On a CPU, only with a pretrained transformer: the small matrices of recurrent layers took nearly twice as long.
    """
    if device.type == "cpu" and not model.config.inputs.text_encoder:
        return False
    return bfloat16_is_faster(device)


@cache
def bfloat16_is_faster(device: torch.device) -> bool:
    """Whether a [2048, 384] x [384, 1536] product takes less time in bfloat16 than in float32 on `device`."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _seconds(torch.bfloat16) < _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    left, right = torch.randn(2048, 384, dtype=dtype), torch.randn(384, 1536, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return best
