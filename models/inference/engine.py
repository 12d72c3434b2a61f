"""The extension point for running a model: between Tagger, which encodes and decodes posts, and the compute library.

An engine runs one model on one device. There is one implementation, eager PyTorch in two precisions
(models/inference/torch_engine.py); models/inference/selection.py selects one for a machine."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from models.core.batch import Encoded


class Scores(NamedTuple):
    """A model's output for a group of posts of at most n tokens."""

    emissions: Tensor
    """[posts, n, labels], on the engine's device; undefined on padding."""
    mask: Tensor
    """[posts, n] bool, True on tokens, on the engine's device."""
    weights: Tensor
    """[modalities, posts, n] float32 on the CPU: they sum to 1 over the first."""


class InferenceEngine(Protocol):
    """One model on one device; called from one thread at a time."""

    @property
    def name(self) -> str:
        """Name of the software that computes, such as `torch`."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def precision(self) -> str:
        """Number format, such as `fp32`; part of the version, because scores depend on it."""
        ...

    def run(self, group: Sequence[Encoded]) -> Scores:
        """Emissions and weights of posts (or windows of long ones) of similar length."""
        ...
