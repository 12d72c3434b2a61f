"""Recurrent layers over tokens: BiLSTM and Bi-GRU.

Sequences are padded on the right and masked, so results depend neither on other posts in the batch nor on the longest
token. Does not depend on any model.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiLSTM(nn.Module):
    """A bidirectional LSTM over right-padded sequences; the output is zero on padding."""

    def __init__(self, size: int, hidden: int) -> None:
        """hidden: width of each direction."""
        super().__init__()
        self.lstm = nn.LSTM(size, hidden, batch_first=True, bidirectional=True)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """inputs [batch, length, size], lengths [batch] >= 1 on the CPU -> [batch, length, 2 hidden]."""
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        states, _ = self.lstm(packed)
        return pad_packed_sequence(states, batch_first=True, total_length=inputs.shape[1])[0]


class BiGRU(nn.Module):
    """A bidirectional GRU over right-padded sequences; the output is zero on padding."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size, hidden, batch_first=True, bidirectional=True)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """inputs [batch, length, size], lengths [batch] >= 1 on the CPU -> states [batch, length, 2 hidden], and the
        concatenated last states of both directions [batch, 2 hidden]."""
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        states, last = self.gru(packed)
        padded, _ = pad_packed_sequence(states, batch_first=True, total_length=inputs.shape[1])
        return padded, torch.cat([last[0], last[1]], dim=-1)
