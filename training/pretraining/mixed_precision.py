"""bfloat16 with float32 master weights: each step casts the trained weights once, and frozen ones are cast for good.

Autocast casts activations back and forth at every layer. Here the whole pass is in bfloat16. The casts are part of the
graph, so gradients and the optimiser's steps are in float32.
"""

from typing import Any

import torch
from torch import nn
from torch.func import functional_call


def cast_frozen(module: nn.Module) -> None:
    """Keep the weights that are not trained in bfloat16."""
    for parameter in module.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(torch.bfloat16)


def call_in_bfloat16(module: nn.Module, *arguments: Any) -> Any:
    """What `module(*arguments)` gives if all its weights are in bfloat16; see `cast_frozen`."""
    trained = {name: p.to(torch.bfloat16) for name, p in module.named_parameters() if p.requires_grad}
    return functional_call(module, trained, arguments)
