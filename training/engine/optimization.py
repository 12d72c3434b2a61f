"""Settings of the optimization, and the optimizer and learning-rate schedule that they describe."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from models.architectures.base import SequenceTagger
from models.layers.transformer import is_pretrained


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    epochs: PositiveInt = 12
    batch_size: PositiveInt = 32
    accumulate: PositiveInt = 1
    """Batches whose gradients are averaged for one step."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    encoder_rate: NonNegativeFloat = 1e-4
    """Peak learning rate of the pretrained encoder."""
    rate: NonNegativeFloat = 1e-3
    """Peak learning rate of everything else."""
    tune_words: bool = True
    """Whether pretrained word vectors (`--vectors`) are trained on; without any, word tables always are."""
    schedule: Literal["linear", "decay", "constant"] = "linear"
    """Linear: rises in the warm-up, then falls to zero. Decay: rate / (1 + decay * epoch)."""
    decay: NonNegativeFloat = 0.05
    weight_decay: NonNegativeFloat = 0.01
    l1: NonNegativeFloat = 0.0
    """Weight of the sum of all weights' sizes in the loss (TriMod's Table IV)."""
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of all steps in which a linear schedule's rate rises to its peak."""
    clip: PositiveFloat = 1.0
    """Largest norm of a step's gradients."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    """Decay per step of the running average of the weights; 0 scores the weights as they are."""
    patience: PositiveInt = 4
    """Epochs without a better score after which training stops."""
    seed: int = 1


def make_optimizer(model: SequenceTagger, recipe: Recipe) -> Optimizer:
    """The recipe's optimizer for the model's trainable weights; the pretrained encoder's are a separate group."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    pretrained = [p for name, p in trained if is_pretrained(name)]
    own = [p for name, p in trained if not is_pretrained(name)]
    groups: list[dict[str, Any]] = [{"params": own, "lr": recipe.rate}]
    if pretrained:
        groups.append({"params": pretrained, "lr": recipe.encoder_rate})
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, weight_decay=recipe.weight_decay)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)


def make_schedule(optimizer: Optimizer, recipe: Recipe, steps_per_epoch: int) -> LambdaLR:
    """The learning rate's factor at each step."""
    steps = recipe.epochs * steps_per_epoch
    warm = max(1, int(recipe.warmup * steps))

    def linear(step: int) -> float:
        return min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))

    def decay(step: int) -> float:
        return 1 / (1 + recipe.decay * (step // steps_per_epoch))

    factors = {"linear": linear, "decay": decay, "constant": lambda step: 1.0}
    return LambdaLR(optimizer, factors[recipe.schedule])
