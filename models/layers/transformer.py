"""A pretrained transformer as the text encoder, in the place of a word table.

Everything here is padded on the right and masked, so that neither a post's neighbours in the batch nor the longest
token's length change anything. Knows no model.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from models.core.batch import Batch
from models.layers.lora import add_adapters
from models.text.post_encoder import CASES
from models.text.pretrained import load_encoder
from models.text.windows import split_by_length

MAX_GROUP_PIECES = 4096
"""Padded pieces in one pass through the transformer."""


class Transformer(nn.Module):
    """A pretrained transformer over a batch's rows of word pieces.

    Its word-piece embeddings stay as they were pretrained, and with `adapters` all of its weights do (each linear layer
    gets an update of that rank, models/layers/lora.py), but for biases and norms if `tune_biases` (as BitFit, Ben Zaken
    et al. 2022); what stays is not in a checkpoint. With `read_case`, how a token is written is added to its pieces'
    embeddings, zero at first."""

    def __init__(
        self, name: str, adapters: int = 0, read_case: bool = False, tune_biases: bool = False
    ) -> None:
        super().__init__()
        self.encoder = cast(Any, load_encoder(name))
        self.encoder.get_input_embeddings().weight.requires_grad_(False)
        if adapters:
            self.encoder.requires_grad_(False)
            add_adapters(self.encoder.encoder, adapters)
            for parameter in self.encoder.parameters():
                parameter.requires_grad_(parameter.requires_grad or (tune_biases and parameter.dim() == 1))
        self.size = int(self.encoder.config.hidden_size)
        self.segments = int(getattr(self.encoder.config, "type_vocab_size", 0) or 0)
        self.case = nn.Embedding(len(CASES), self.size) if read_case else None
        if self.case is not None:
            nn.init.zeros_(self.case.weight)

    def encode(self, batch: Batch) -> Tensor:
        """The last states of all rows [R, longest, size]; zeros on padding."""
        states = batch.pooled.new_zeros(*batch.pieces.shape, self.size)
        lengths = batch.pieces_mask.sum(dim=1).tolist()
        for group in split_by_length(lengths, MAX_GROUP_PIECES):
            rows, width = torch.tensor(group, device=states.device), lengths[group[-1]]
            kept = batch.pieces_mask[rows, :width].unsqueeze(-1)
            hidden = self._encode(batch, rows, width).to(states.dtype) * kept
            states = states.index_put((rows,), nn.functional.pad(hidden, (0, 0, 0, states.shape[1] - width)))
        return states

    def _encode(self, batch: Batch, rows: Tensor, width: int) -> Tensor:
        """[rows, width, size]: the last states of some rows, of which the longest has `width` pieces."""
        embedded = self.encoder.get_input_embeddings()(batch.pieces[rows, :width])
        if self.case is not None:
            embedded = embedded + self.case(batch.pieces_case[rows, :width]).to(embedded.dtype)
        inputs = {"inputs_embeds": embedded, "attention_mask": batch.pieces_mask[rows, :width].long()}
        if self.segments:
            inputs["token_type_ids"] = batch.pieces_segment[rows, :width].clamp(max=self.segments - 1)
        hidden: Tensor = self.encoder(**inputs).last_hidden_state
        return hidden


def is_pretrained(name: str) -> bool:
    """Whether the weight called `name` in a model belongs to a Transformer's pretrained encoder, adapters included."""
    return ".encoder." in name


def first_pieces(states: Tensor, first_piece: Tensor) -> Tensor:
    """The states of each token's first piece: [rows, m, size] and columns [rows, n] -> [rows, n, size]."""
    return states.gather(1, first_piece.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
