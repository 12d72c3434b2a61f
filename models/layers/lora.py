"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685, equation 3): W x + s B A x with W frozen.

A checkpoint contains only A and B; W comes from the encoder's package. For serving, they are merged into W. This is our
own code of thirty lines, because the library (peft) would bring its training stack to every worker. The scale s is
alpha / sqrt(rank), as in rank-stabilized LoRA (arXiv:2312.03732), so the learning rate does not depend on the rank.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

ALPHA = 4.0


class LowRankLinear(nn.Module):
    """A frozen linear layer with a trainable update of rank `rank`, initially zero."""

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self.frozen = frozen.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, frozen.in_features))
        self.up = nn.Parameter(torch.zeros(frozen.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scale = ALPHA / math.sqrt(rank)

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in features] -> [..., out features]."""
        update = linear(linear(inputs, self.down), self.up)
        return torch.add(self.frozen(inputs), update, alpha=self.scale)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain linear layer that computes the same."""
        self.frozen.weight += self.scale * (self.up @ self.down)
        return self.frozen


def add_adapters(module: nn.Module, rank: int) -> None:
    """Freeze `module`, and wrap each linear layer in it with an adapter of `rank`."""
    module.requires_grad_(False)
    for parent, name, layer in _linear_layers(module):
        setattr(parent, name, LowRankLinear(layer, rank))


def halve_frozen(module: nn.Module) -> None:
    """Convert the frozen layers' weights to bfloat16 for training under autocast, which otherwise does so every step.

    Biases that are trained with the adapters are not converted: bfloat16 would lose their small updates.
    """
    for layer in module.modules():
        if isinstance(layer, LowRankLinear):
            for parameter in layer.frozen.parameters():
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)


def merge_adapters(module: nn.Module) -> None:
    """Replace all adapters in `module` with plain linear layers: the same function, but faster."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, LowRankLinear):
                setattr(parent, name, layer.merged())


def fitted(weights: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """`weights` by name, converted for `module` if its adapters have a lower rank, or if `weights` have no adapters.

    Without adapters, the layers themselves were trained: each adapter becomes the best approximation of that change at
    its rank. Weights that `module` does not train are the module's own, so their training is lost.
    """
    found = dict(weights)
    for name, layer in module.named_modules():
        if not isinstance(layer, LowRankLinear):
            continue
        rank, down = len(layer.down), weights.get(f"{name}.down")
        if down is not None and len(down) > rank:
            update = ALPHA / math.sqrt(len(down)) * weights[f"{name}.up"] @ down
        elif f"{name}.weight" in weights:
            for part in layer.frozen.state_dict():
                found[f"{name}.frozen.{part}"] = found.pop(f"{name}.{part}")
            update = weights[f"{name}.weight"] - layer.frozen.weight
        else:
            continue
        found[f"{name}.down"], found[f"{name}.up"] = _nearest(update, rank)
    return found | {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad}


def _nearest(update: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """A and B of the adapter of `rank` closest to `update` in the Frobenius norm (Eckart and Young 1936)."""
    left, sizes, right = torch.linalg.svd(update.float(), full_matrices=False)
    # Each factor gets the square root of the singular values, divided by that of the scale of an adapter of this rank.
    halves = (sizes[:rank] * math.sqrt(rank) / ALPHA).sqrt()
    return halves.unsqueeze(1) * right[:rank], left[:, :rank] * halves


def _linear_layers(module: nn.Module) -> list[tuple[nn.Module, str, nn.Linear]]:
    return [
        (parent, name, layer)
        for parent in module.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, nn.Linear)
    ]
