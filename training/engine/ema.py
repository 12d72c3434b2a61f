"""A running average of a model's trainable weights (Polyak averaging with exponential decay).

torch's AveragedModel copies and updates every parameter, including frozen ones. For adapters over a frozen encoder,
that is a hundred times the trained parameters.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """average <- decay * average + (1 - decay) * weights, after each step; the decay rises from zero to `decay`.

    from_first_step: exclude the weights before the first step; otherwise they have a small share.
    """

    def __init__(self, model: nn.Module, decay: float, *, from_first_step: bool = False) -> None:
        self.decay, self.from_first_step = decay, from_first_step
        self.steps = 0
        self.trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.weights: dict[str, Tensor] = {name: p.detach().clone() for name, p in self.trained.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Add the model's current weights to the average."""
        self.steps += 1
        # With a constant decay, the initial weights would dominate the average of the first epochs.
        decay = min(self.decay, self.steps / (self.steps + 9))
        if self.from_first_step and self.steps == 1:
            decay = 0.0
        torch._foreach_lerp_(list(self.weights.values()), list(self.trained.values()), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """In this context, the model has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self.trained.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.weights[name])
            self.weights[name].copy_(kept)
