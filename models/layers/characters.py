"""Encodes the characters of tokens as vectors, by convolutions or by a Bi-GRU.

Sequences are padded on the right and masked, so results depend neither on other posts in the batch nor on the longest
token. Does not depend on any model.
"""

from torch import Tensor, nn
from torch.nn.functional import pad

from models.core.batch import Batch
from models.layers.recurrent import BiGRU


class SameConvolution(nn.Module):
    """A 1-D convolution that keeps the length and zero padding; an even kernel extends one further to the right."""

    def __init__(self, channels: int, filters: int, width: int) -> None:
        super().__init__()
        self.reach = ((width - 1) // 2, width // 2)
        self.convolve = nn.Conv1d(channels, filters, width)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """[rows, channels, length] -> [rows, filters, length]; both are zero where mask [rows, length] is False."""
        convolved: Tensor = self.convolve(pad(inputs, self.reach))
        return convolved * mask.unsqueeze(1)


def maximum(features: Tensor, mask: Tensor) -> Tensor:
    """The maximum where the mask is True: [rows, channels, length], [rows, length] -> [rows, channels]."""
    return features.masked_fill(~mask.unsqueeze(1), float("-inf")).amax(dim=2)


def per_token(features: Tensor, mask: Tensor) -> Tensor:
    """Moves rows of tokens [tokens, size] to their positions in the batch [batch, length, size]; zeros elsewhere."""
    placed = features.new_zeros(*mask.shape, features.shape[-1])
    placed[mask] = features
    return placed


class CharacterCNN(nn.Module):
    """One convolution over a token's characters, then the maximum over them (Ma and Hovy 2016, section 2.1)."""

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


class CharacterEncoder(nn.Module):
    """Equations 2-3: a Bi-GRU over a token's characters; its two last states are concatenated."""

    def __init__(self, characters: int, size: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, size, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.gru = BiGRU(size, hidden)

    def forward(self, batch: Batch) -> Tensor:
        """[batch, length, 2 hidden], zeros on padding."""
        lengths = batch.characters.ne(0).sum(dim=1).cpu()
        last: Tensor = self.gru(self.dropout(self.embed(batch.characters)), lengths)[1]
        out = last.new_zeros(*batch.mask.shape, last.shape[-1])
        out[batch.mask] = last
        return out
