"""Fusion of the modalities (TriMod equations 11-12): one attention weight per token and modality.

    f'_i = W_2 f_i + b,   gamma_i = exp(u . tanh(f'_i)),   f_s = sum_i gamma_i f_i / sum_i gamma_i

Deviations: each modality has its own W_2 and b (the paper feeds each feature "through a fully connected layer" and
sums what must then be of one width); an absent modality gets gamma = 0, so it neither counts nor disturbs.
"""

import torch
from torch import Tensor, nn


class AttentionFusion(nn.Module):
    """Fuses `modalities` features per token of width `size` each into one of the same width."""

    def __init__(self, modalities: int, size: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(size, size) for _ in range(modalities))
        self.u = nn.Parameter(torch.zeros(size))

    def forward(self, features: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Fused features and weights.

        features [modalities, batch, length, size]; present [modalities, batch] bool, the first modality (text) always.
        Returns f_s [batch, length, size] and the weights gamma_i / sum gamma [modalities, batch, length].
        """
        projected = torch.stack([project(f) for project, f in zip(self.project, features, strict=True)])
        logits = torch.tanh(projected) @ self.u
        weights = logits.masked_fill(~present.unsqueeze(-1), float("-inf")).softmax(dim=0)
        return (weights.unsqueeze(-1) * features).sum(dim=0), weights
