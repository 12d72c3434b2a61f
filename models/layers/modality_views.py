"""TriMod's modalities as features per token: words from a table (equation 1) or from a pretrained transformer.

There are two ways to give a token access to the image's words and the hashtags' words:

- views: up to three features per token, from the text alone, the text with the image's words, and the text with the
  hashtags' words. The text's view never reads the others, so fusion weighs distinct modalities. A post without image
  and hashtags needs only one view.
- states: separate features of the tokens, of the image's words and of the hashtags' words, for attention between
  modalities (models/layers/fusion.py's CrossModalFusion).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.core.batch import Batch
from models.layers.transformer import Transformer, first_pieces

VIEWS = ("text", "image", "hashtags")


class States(NamedTuple):
    """Features of the tokens [batch, length, size]; features and masks of the words of each other modality."""

    text: Tensor
    image: Tensor
    """[batch, k, size]"""
    image_mask: Tensor
    """[batch, k] bool"""
    hashtags: Tensor
    hashtags_mask: Tensor


class TableWords(nn.Module):
    """The paper's word features: a lookup table, and attention of each token over the image or hashtag words.

    The paper does not specify how a caption is combined with a token. Here the token's word embedding attends over the
    embeddings of the image words (or hashtag words). They are in the same table, so equal words match.
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
        states = self.states(batch)
        views = [states.text]
        for known, mask in ((states.image, states.image_mask), (states.hashtags, states.hashtags_mask)):
            scores = self.query(states.text) @ known.transpose(1, 2) / self.size**0.5
            empty = ~mask.unsqueeze(1)
            weights = scores.masked_fill(empty, -1e4).softmax(dim=-1).masked_fill(empty, 0.0)
            views.append(weights @ known)
        return torch.stack(views)

    def states(self, batch: Batch) -> States:
        """The words' embeddings."""
        text, image, hashtags = (
            self.dropout(self.embed(ids)) for ids in (batch.words, batch.image_words, batch.hashtag_words)
        )
        return States(text, image, batch.image_words.ne(0), hashtags, batch.hashtag_words.ne(0))


class TransformerWords(Transformer):
    """A pretrained transformer instead of a word table: a token is represented by its first word piece.

    `forward` needs a row for each view, `[CLS] text [SEP]` or `[CLS] text [SEP] words [SEP]`; self-attention is then
    cross-modal attention. `states` needs joint rows, in which the text's states depend on the other modalities too.
    """

    def __init__(
        self, name: str, dropout: float, adapters: int = 0, read_case: bool = False, tune_biases: bool = False
    ) -> None:
        super().__init__(name, adapters, read_case, tune_biases)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Tensor:
        """[3, batch, length, size]; zeros in the views of absent modalities."""
        tokens = self.dropout(first_pieces(self.encode(batch), batch.first_piece[batch.row_post]))
        views: Tensor = tokens.new_zeros(len(VIEWS), *batch.mask.shape, self.size)
        return views.index_put((batch.row_view, batch.row_post), tokens)

    def states(self, batch: Batch) -> States:
        """The states of the tokens' first pieces, and of all pieces of the other segments (joint rows)."""
        states = self.dropout(self.encode(batch))
        image, hashtags = ((batch.pieces_segment == segment) & batch.pieces_mask for segment in (1, 2))
        return States(first_pieces(states, batch.first_piece), states, image, states, hashtags)
