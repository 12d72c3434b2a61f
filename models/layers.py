"""Layers that CWI and HSN share: word tables, a bidirectional LSTM, convolutions over a token's characters.

Everything here is padded on the right and masked, so that neither a post's neighbours in the batch nor the longest
token's length change anything. Knows no model; TriMod's Bi-GRUs and the transformers are models/encoders.py's.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.batch import Batch


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


class BiLSTM(nn.Module):
    """A bidirectional LSTM over right-padded sequences; zeros come out where padding went in."""

    def __init__(self, size: int, hidden: int) -> None:
        """hidden: of each direction."""
        super().__init__()
        self.lstm = nn.LSTM(size, hidden, batch_first=True, bidirectional=True)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """inputs [batch, length, size], lengths [batch] >= 1 on the CPU -> [batch, length, 2 hidden]."""
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        states, _ = self.lstm(packed)
        return pad_packed_sequence(states, batch_first=True, total_length=inputs.shape[1])[0]


class SameConvolution(nn.Module):
    """A 1-D convolution that keeps the length (an even kernel reaches one further right) and the padding zero."""

    def __init__(self, channels: int, filters: int, width: int) -> None:
        super().__init__()
        self.reach = ((width - 1) // 2, width // 2)
        self.convolve = nn.Conv1d(channels, filters, width)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """[rows, channels, length], zeros where mask [rows, length] is False -> [rows, filters, length], likewise."""
        convolved: Tensor = self.convolve(pad(inputs, self.reach))
        return convolved * mask.unsqueeze(1)


class CharacterCNN(nn.Module):
    """A token's characters through one convolution, and the maximum over them (Ma and Hovy 2016, section 2.1)."""

    def __init__(self, characters: int, size: int, filters: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, size, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.convolution = SameConvolution(size, filters, width)

    def forward(self, batch: Batch) -> Tensor:
        """[batch, length, filters], zeros on padding."""
        mask = batch.characters.ne(0)
        embedded = self.dropout(self.embed(batch.characters)).transpose(1, 2)
        return per_token(maximum(self.convolution(embedded, mask), mask), batch.mask)


def maximum(features: Tensor, mask: Tensor) -> Tensor:
    """The maximum over what is masked in: [rows, channels, length], [rows, length] -> [rows, channels]."""
    return features.masked_fill(~mask.unsqueeze(1), float("-inf")).amax(dim=2)


def per_token(features: Tensor, mask: Tensor) -> Tensor:
    """Rows for all tokens [tokens, size] to their places in the batch [batch, length, size], zeros elsewhere."""
    placed = features.new_zeros(*mask.shape, features.shape[-1])
    placed[mask] = features
    return placed
