"""TriMod's text encoders: characters by a Bi-GRU (equations 2-3), words by a table or a transformer (equation 1).

Both give, for each post, features per token in up to three views: the text alone, the text seen with the words about
its image, the text seen with its hashtags' words. The text's view never reads the other two, so what fusion weighs
against each other really are different things, and a post without image and hashtags costs one view.

Everything here is padded on the right and masked: a post's features do not depend on its neighbours in the batch.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.batch import Batch
from models.pretrained import load_encoder
from models.split import split_by_length

VIEWS = ("text", "image", "hashtags")
MAX_GROUP_PIECES = 4096
"""Padded pieces in one pass through the transformer."""


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


class CharacterEncoder(nn.Module):
    """Equations 2-3: a token's characters through a Bi-GRU, the two last states joined."""

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


class TableWords(nn.Module):
    """The paper's word features: a lookup table; image and hashtag words by attention of each token over them.

    The paper leaves open how a caption meets a token; here the token's word embedding attends over the embeddings
    of the words about the image (or of the hashtags), in the same table, so that equal words find each other.
    """

    def __init__(self, words: int, size: int, dropout: float) -> None:
        super().__init__()
        self.size = size
        self.embed = nn.Embedding(words, size, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.query = nn.Linear(size, size, bias=False)
        nn.init.eye_(self.query.weight)

    def forward(self, batch: Batch) -> Tensor:
        """[3, batch, length, size]; zeros in the views of absent modalities."""
        text = self.dropout(self.embed(batch.words))
        views = [text]
        for context in (batch.image_words, batch.hashtag_words):
            known = self.dropout(self.embed(context))
            scores = self.query(text) @ known.transpose(1, 2) / self.size**0.5
            empty = context.eq(0).unsqueeze(1)
            weights = scores.masked_fill(empty, -1e4).softmax(dim=-1).masked_fill(empty, 0.0)
            views.append(weights @ known)
        return torch.stack(views)


class TransformerWords(nn.Module):
    """A pretrained transformer in the word table's place: a token is its first word piece.

    Each view is a row of its own, `[CLS] text [SEP]` or `[CLS] text [SEP] words [SEP]`, so self-attention is the
    cross-modal attention. Its word-piece embeddings stay as they were pretrained, and are not in a checkpoint.
    """

    def __init__(self, name: str, dropout: float) -> None:
        super().__init__()
        self.encoder = cast(Any, load_encoder(name))
        self.encoder.get_input_embeddings().weight.requires_grad_(False)
        self.size = int(self.encoder.config.hidden_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Tensor:
        """[3, batch, length, size]; zeros in the views of absent modalities."""
        views = batch.pooled.new_zeros(len(VIEWS), *batch.mask.shape, self.size)
        lengths = batch.pieces_mask.sum(dim=1).tolist()
        for group in split_by_length(lengths, MAX_GROUP_PIECES):
            rows = torch.tensor(group, device=views.device)
            hidden = self._encode(batch, rows, lengths[group[-1]])
            posts = batch.row_post[rows]
            first = batch.first_piece[posts].unsqueeze(-1).expand(-1, -1, self.size)
            views = views.index_put(
                (batch.row_view[rows], posts), self.dropout(hidden.gather(1, first)).to(views.dtype)
            )
        return views

    def _encode(self, batch: Batch, rows: Tensor, width: int) -> Tensor:
        """[rows, width, size]: the last states of some rows, of which the longest has `width` pieces."""
        hidden: Tensor = self.encoder(
            input_ids=batch.pieces[rows, :width],
            attention_mask=batch.pieces_mask[rows, :width].long(),
            token_type_ids=batch.pieces_segment[rows, :width],
        ).last_hidden_state
        return hidden
