"""Recurrent layers over tokens: BiLSTM and Bi-GRU.

Everything here is padded on the right and masked, so that neither a post's neighbours in the batch nor the longest
token's length change anything. Knows no model.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


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


class BiGRU(nn.Module):
    """A bidirectional GRU over right-padded sequences; zeros come out where padding went in."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size, hidden, batch_first=True, bidirectional=True)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """inputs [batch, length, size], lengths [batch] >= 1 on the CPU -> states [batch, length, 2 hidden] and the
        last state of each direction, joined [batch, 2 hidden]."""
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        states, last = self.gru(packed)
        padded, _ = pad_packed_sequence(states, batch_first=True, total_length=inputs.shape[1])
        return padded, torch.cat([last[0], last[1]], dim=-1)
