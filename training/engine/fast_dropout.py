"""Dropout with a cheap mask on CPUs.

On a CPU, torch draws random numbers sequentially from a Mersenne Twister. For dropout, this took an eighth of a
training step with MPNet, and a tenth with HSN. numpy's SFC64, seeded from torch's stream at each call, draws the same
share of zeros many times faster. It is used in training only and does not affect checkpoints: dropout has no weights.
"""

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 1 << 16
"""Random numbers have 16 bits, so rates are accurate to 1 in 65,536."""


class FastDropout(nn.Module):
    """Like nn.Dropout, on a CPU: in training, each value is zeroed with probability `p`, or divided by 1 - p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, inputs: Tensor) -> Tensor:
        """Input of any shape; the output has the same shape. Reproducible with torch.manual_seed."""
        if not self.training or not self.p:
            return inputs
        seed = int(torch.randint(1 << 62, ()))
        drawn = np.random.Generator(np.random.SFC64(seed)).integers(0, LEVELS, inputs.shape, dtype=np.uint16)
        kept = torch.from_numpy(drawn >= round(self.p * LEVELS))
        return inputs * kept.to(inputs.dtype).mul_(1 / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"


def quicken_dropout(module: nn.Module) -> None:
    """Replace every nn.Dropout in `module` with FastDropout."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Dropout:
                setattr(parent, name, FastDropout(layer.p))
