"""Word tables: one or several, each initialized from word vectors or learnt.

Sequences are padded on the right and masked, so results depend neither on other posts in the batch nor on the longest
token. Does not depend on any model.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class WordTables(nn.Module):
    """Embeds words by one or several concatenated lookup tables: CWI has GloVe's and fastText's."""

    def __init__(self, words: int, sizes: Sequence[int], initialise: Callable[[Tensor], object]) -> None:
        """words: number of ids (0 is padding); sizes: width of each table; initialise: fills a table in place."""
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
    """An embedding filled by `initialise`; row 0 (padding) is zero."""
    embed = nn.Embedding(entries, size, padding_idx=0)
    with torch.no_grad():
        initialise(embed.weight)
        embed.weight[0] = 0.0
    return embed
