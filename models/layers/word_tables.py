"""Word tables: one or several, each filled from word vectors or learnt.

Everything here is padded on the right and masked, so that neither a post's neighbours in the batch nor the longest
token's length change anything. Knows no model.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class WordTables(nn.Module):
    """Words by one lookup table or several, joined: CWI has GloVe's beside fastText's."""

    def __init__(self, words: int, sizes: Sequence[int], initialise: Callable[[Tensor], object]) -> None:
        """words: ids, of which 0 is padding; sizes: each table's width; initialise: fills a table in place."""
        super().__init__()
        self.size = sum(sizes)
        self.tables = nn.ModuleList(table(words, size, initialise) for size in sizes)

    def forward(self, ids: Tensor) -> Tensor:
        """[...] -> [..., size], zeros on padding."""
        return torch.cat([embed(ids) for embed in self.tables], dim=-1)

    def embeddings(self) -> list[nn.Embedding]:
        """The tables, in order."""
        return [embed for embed in self.tables if isinstance(embed, nn.Embedding)]


def table(entries: int, size: int, initialise: Callable[[Tensor], object]) -> nn.Embedding:
    """An embedding that `initialise` fills; zeros in row 0, which is padding."""
    embed = nn.Embedding(entries, size, padding_idx=0)
    with torch.no_grad():
        initialise(embed.weight)
        embed.weight[0] = 0.0
    return embed
