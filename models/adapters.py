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
    """Keep the frozen layers' weights in bfloat16, for training under autocast, which else rounds them every step."""
    for layer in module.modules():
        if isinstance(layer, LowRankLinear):
            layer.frozen.to(torch.bfloat16)


def merge_adapters(module: nn.Module) -> None:
    """Put plain linear layers back in the place of all adapters in `module`: the same function, faster."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, LowRankLinear):
                setattr(parent, name, layer.merged())


def lower_rank(weights: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """`weights` by name, with each adapter of a higher rank replaced by the nearest of `rank`; 0: as it is."""
    found = dict(weights)
    for name, down in weights.items():
        other = f"{name.removesuffix('down')}up"
        up = weights.get(other)
        if name.endswith(".down") and up is not None and 0 < rank < down.shape[0]:
            found[name], found[other] = _nearest(ALPHA / math.sqrt(down.shape[0]) * up @ down, rank)
    return found


def as_adapters(tuned: Mapping[str, Tensor], adapted: nn.Module) -> dict[str, Tensor]:
    """Weights by name for `adapted`, which has adapters, near to the plain module that has the weights `tuned`.

    What an adapter adds to its frozen layer is the nearest of its rank to what was added in tuning. What else `adapted`
    would train is as in `tuned`, and what it would not is its own: that much of the tuning is lost.
    """
    found = adapted.state_dict()
    found |= {n: tuned[n] for n, p in adapted.named_parameters() if p.requires_grad and n in tuned}
    for name, layer in adapted.named_modules():
        if isinstance(layer, LowRankLinear):
            update = tuned[f"{name}.weight"] - layer.frozen.weight
            found[f"{name}.down"], found[f"{name}.up"] = _nearest(update, layer.down.shape[0])
            if layer.frozen.bias is not None and layer.frozen.bias.requires_grad:
                found[f"{name}.frozen.bias"] = tuned[f"{name}.bias"]
    return found


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
