"""What runs a model: the extension point between Tagger, which cuts and decodes posts, and the software that computes.

An engine is made for one model on one device. Today there is one, eager PyTorch (models/inference/torch_engine.py)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from models.core.batch import Encoded


class Scores(NamedTuple):
    """What a model says of a group of posts, n tokens at most."""

    emissions: Tensor
    """[posts, n, labels], on the engine's device; anything on padding."""
    mask: Tensor
    """[posts, n] bool, True on tokens, on the engine's device."""
    weights: Tensor
    """[modalities, posts, n] float32 on the CPU: they sum to 1 over the first."""


class InferenceEngine(Protocol):
    """One model on one device; called from one thread at a time."""

    @property
    def name(self) -> str:
        """What computes, such as `torch`."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def precision(self) -> str:
        """In which it computes, such as `fp32`: part of the version, as scores differ with it."""
        ...

    def run(self, group: Sequence[Encoded]) -> Scores:
        """Emissions and weights of posts (or windows of long ones) of like length."""
        ...
