"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685, equation 3): W x + s B A x with W frozen.

A checkpoint then holds A and B only, and W comes from the encoder's package. For serving they are merged into W.
Our own thirty lines, since the library for it (peft) would bring its training stack to every worker.
The scale s is alpha / sqrt(rank) as in rank-stabilised LoRA (arXiv:2312.03732), so that the learning rate need not
follow the rank.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

ALPHA = 4.0


class LowRankLinear(nn.Module):
    """A frozen linear layer with a trainable update of rank `rank`, zero at first."""

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
    """Freeze `module` and put an adapter of `rank` around each linear layer in it."""
    module.requires_grad_(False)
    for parent, name, layer in _linear_layers(module):
        setattr(parent, name, LowRankLinear(layer, rank))


def halve_frozen(module: nn.Module) -> None:
    """Keep the frozen layers' weights in bfloat16, for training under autocast, which else rounds them every step.

    Biases that are trained beside the adapters stay as they are: bfloat16 would swallow their small steps.
    """
    for layer in module.modules():
        if isinstance(layer, LowRankLinear):
            for parameter in layer.frozen.parameters():
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)


def merge_adapters(module: nn.Module) -> None:
    """Put plain linear layers back in the place of all adapters in `module`: the same function, faster."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, LowRankLinear):
                setattr(parent, name, layer.merged())


def fitted(weights: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """`weights` by name for `module`, where its adapters are of a lower rank than theirs, or they have none.

    Without any, the layers were trained themselves: an adapter is the nearest of its rank to what that added. What
    `module` would not train is its own, so that much of their training is lost.
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
    """A and B of the adapter of `rank` that is nearest to `update` by the Frobenius norm (Eckart and Young 1936)."""
    left, sizes, right = torch.linalg.svd(update.float(), full_matrices=False)
    # Half of each singular value on either side, less the scale that an adapter of this rank brings.
    halves = (sizes[:rank] * math.sqrt(rank) / ALPHA).sqrt()
    return halves.unsqueeze(1) * right[:rank], left[:, :rank] * halves


def _linear_layers(module: nn.Module) -> list[tuple[nn.Module, str, nn.Linear]]:
    return [
        (parent, name, layer)
        for parent in module.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, nn.Linear)
    ]
