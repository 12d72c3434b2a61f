"""A tagger's transformer with a head that predicts word pieces, as in BERT (Devlin et al. 2019, section 3.1).

The packages of the encoders do not have their heads, so the head is trained here. Its output matrix is the table of
word-piece embeddings, which stays as it was pretrained because taggers take it from the encoder's package.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from models.core.batch import Batch
from models.layers.transformer import Transformer


class PieceHead(nn.Module):
    """Scores of all pieces from states: a dense layer, GELU, layer norm, and the product with a table of embeddings."""

    def __init__(self, size: int, vocabulary: int) -> None:
        super().__init__()
        self.dense = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.orthogonal_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    @torch.no_grad()
    def start_from(self, counts: Tensor, table: Tensor) -> None:
        """Begin with the pieces' log frequencies, and scores around them of unit variance.

        counts: [vocabulary], how often each piece occurs in the corpus. Embeddings of MPNet are twice as long as those
        of MiniLM: without the scale, MPNet's head began at a loss of 10.4 instead of 8.1.
        """
        self.norm.weight.fill_(1 / float(table.norm(dim=1).mean()))
        smoothed = counts.float() + 1
        self.bias.copy_((smoothed / smoothed.sum()).log())

    def forward(self, states: Tensor, table: Tensor) -> Tensor:
        """[n, size] and [vocabulary, size] -> [n, vocabulary]."""
        return linear(self.norm(gelu(self.dense(states))), table, self.bias)


class MaskedLanguageModel(nn.Module):
    """A transformer and its head."""

    def __init__(self, text_encoder: str, adapters: int = 0, read_case: bool = True) -> None:
        super().__init__()
        self.transformer = Transformer(text_encoder, adapters, read_case)
        self.head = PieceHead(self.transformer.size, len(self.table))

    @property
    def table(self) -> Tensor:
        """The word-piece embeddings [vocabulary, size]."""
        table: Tensor = self.transformer.encoder.get_input_embeddings().weight
        return table

    def forward(self, batch: Batch, rows: Tensor, columns: Tensor, only_head: bool = False) -> Tensor:
        """Scores of all pieces at n places of the batch's rows: [n, vocabulary]. only_head: no gradients below it."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not only_head):
            states = self.transformer.encode(batch)[rows, columns]
        return self.head(states.to(self.table.dtype), self.table)  # type: ignore[no-any-return]
