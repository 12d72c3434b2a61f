"""TriMod (Alfaqeeh 2024, arXiv:2501.08267): text, words about the image, and hashtags, fused per token, then a CRF.

    characters --Bi-GRU--> (2-3) \\
    words: table or transformer (1) +--> Bi-GRU per view (4-7) --> fusion (11-12) --> linear --> CRF (13-16)
    image words, hashtag words --> /

Deviations from the paper, each named where it stands: the word table may be a pretrained transformer (the conclusion's
"pre-trained language models"); the image branch reads *words about the image* (a caption, alt text, class words of
the CNN) instead of a caption's hidden states, since a benchmark's pixels are not to be had; pooled pixel features
are masked until a model was trained on pixels (`use_pixels`); hashtags arrive segmented (models/segmenter.py).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.batch import Batch
from models.crf import ConstrainedCRF
from models.encoders import VIEWS, BiGRU, CharacterEncoder, TableWords, TransformerWords
from models.fusion import AttentionFusion


@dataclass(frozen=True)
class TriModConfig:
    """Hyper-parameters; defaults are the paper's Table II and its section V-A, where it gives them."""

    labels: tuple[str, ...]
    text_encoder: str = ""
    """A pretrained transformer by name (models/pretrained.py), or empty for the paper's word table."""
    word_size: int = 200
    """Width of the word table (section IV-A)."""
    character_size: int = 30
    character_hidden: int = 30
    word_hidden: int = 150
    dropout: float = 0.55
    max_characters: int = 24
    """Characters of a token that are read; the rest says little."""
    use_pixels: bool = False
    """Whether pooled image features are read; False until trained on pixels."""
    pooled_size: int = 1280


class TriMod(nn.Module):
    """Scores labels of each token; `loss` trains, `forward` gives emissions and modality weights, the CRF decodes."""

    def __init__(self, config: TriModConfig, words: int, characters: int) -> None:
        """`words` and `characters` are the sizes of the vocabularies."""
        super().__init__()
        self.config = config
        self.words: TableWords | TransformerWords
        if config.text_encoder:
            self.words = TransformerWords(config.text_encoder, config.dropout)
        else:
            self.words = TableWords(words, config.word_size, config.dropout)
        self.characters = CharacterEncoder(
            characters, config.character_size, config.character_hidden, config.dropout
        )
        size = 2 * config.word_hidden
        self.context = BiGRU(self.words.size + 2 * config.character_hidden, config.word_hidden)
        self.pixels = nn.Linear(config.pooled_size, size) if config.use_pixels else None
        self.fusion = AttentionFusion(len(VIEWS), size)
        self.dropout = nn.Dropout(config.dropout)
        self.emit = nn.Linear(size, len(config.labels))
        self.crf = ConstrainedCRF(config.labels)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Emissions [batch, length, labels] and modality weights [3, batch, length], in the order of VIEWS."""
        views = self.words(batch)
        characters = self.characters(batch)
        present = batch.present
        contexts = views.new_zeros(*views.shape[:3], 2 * self.config.word_hidden)
        view, post = present.nonzero(as_tuple=True)
        tokens = torch.cat([views[view, post], characters[post]], dim=-1)
        contexts[view, post] = self.context(tokens, batch.lengths[post.cpu()])[0].to(contexts.dtype)
        if self.pixels is not None:
            pixels = torch.tanh(self.pixels(batch.pooled)) * batch.has_pooled.unsqueeze(-1)
            image = contexts[1] + pixels.unsqueeze(1).to(contexts.dtype)
            contexts = torch.stack([contexts[0], image, contexts[2]])
            present = present.clone()
            present[1] |= batch.has_pooled
        fused, weights = self.fusion(contexts, present)
        return self.emit(self.dropout(fused)), weights

    def loss(self, batch: Batch) -> Tensor:
        """Mean CRF loss (equation 15) of a batch that carries tags."""
        if batch.tags is None:
            raise ValueError("a batch without tags has no loss")
        emissions, _ = self(batch)
        return self.crf.loss(emissions, batch.tags, batch.mask)
