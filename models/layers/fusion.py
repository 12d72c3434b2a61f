"""Fusion of the modalities (TriMod equations 11-12): one attention weight per token and modality.

    f'_i = W_2 f_i + b,   gamma_i = exp(u . tanh(f'_i)),   f_s = sum_i gamma_i f_i / sum_i gamma_i

CrossModalFusion is the conclusion's "multi-head self- and cross-modal attention". Tokens attend to each other and to
the words of the other modalities (Vaswani et al. 2017, equation 1); equations 11-12 weigh the results.

Deviations:
- Each modality has its own W_2 and b. The paper feeds feature i through a fully connected layer and adds the results,
  which must therefore have the same width.
- The paper's last step, "a 1-dimensional fully connected layer" after the exponential function, is not in any equation
  and is left out.
- An absent modality gets gamma = 0, so it has no influence.
- In CrossModalFusion, only the text's tokens attend to each other. With a transformer, the words of image and hashtags
  have already done so; with word tables, they are embeddings without self-attention.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AttentionFusion(nn.Module):
    """Fuses `modalities` features per token, each of width `size`, into one of the same width."""

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


class CrossModalFusion(nn.Module):
    """Tokens attend to each other, to the image's words and to the hashtags' words; then AttentionFusion."""

    def __init__(self, size: int, context_size: int, heads: int, dropout: float) -> None:
        """size: of the tokens' features; context_size: of the other modalities' words."""
        super().__init__()
        self.self_attention = nn.MultiheadAttention(size, heads, dropout, batch_first=True)
        self.cross_attention = nn.ModuleList(
            nn.MultiheadAttention(
                size, heads, dropout, kdim=context_size, vdim=context_size, batch_first=True
            )
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(size)
        self.fusion = AttentionFusion(3, size)

    def forward(
        self, text: Tensor, mask: Tensor, contexts: Sequence[tuple[Tensor, Tensor]], present: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fused features [batch, length, size] and weights [3, batch, length].

        text [batch, length, size] with its mask; contexts: of image and hashtags, the words' features [batch, k,
        context size] and their mask [batch, k]; present [3, batch] bool.
        """
        attended, _ = self.self_attention(text, text, text, key_padding_mask=~mask, need_weights=False)
        text = self.norm(text + attended)
        views = [text]
        for attention, (words, words_mask), known in zip(
            self.cross_attention, contexts, present[1:], strict=True
        ):
            # A post without words attends to all of its padding, to avoid NaN; `present` drops the result.
            ignored = ~words_mask & known.unsqueeze(1)
            views.append(
                text + attention(text, words, words, key_padding_mask=ignored, need_weights=False)[0]
            )
        fused: tuple[Tensor, Tensor] = self.fusion(torch.stack(views), present)
        return fused
