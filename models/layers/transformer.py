"""A pretrained transformer as the text encoder, instead of a word table.

Sequences are padded on the right and masked, so results depend neither on other posts in the batch nor on the longest
token. Does not depend on any model.
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
"""Maximum padded pieces in one pass through the transformer."""


class Transformer(nn.Module):
    """A pretrained transformer over a batch's rows of word pieces.

    Its word-piece embeddings are frozen. With `adapters`, all of its weights are frozen, and each linear layer gets an
    update of that rank (models/layers/lora.py). With `tune_biases`, biases and norms are trained nevertheless (BitFit,
    Ben Zaken et al. 2022). Frozen weights are not in checkpoints. With `read_case`, an embedding of a token's case,
    initially zero, is added to its pieces' embeddings."""

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
        """[rows, width, size]: the last states of some rows; the longest has `width` pieces."""
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
    """The state of each token's first piece: [rows, m, size] and columns [rows, n] -> [rows, n, size]."""
    return states.gather(1, first_piece.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
