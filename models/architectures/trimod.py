"""TriMod (Alfaqeeh 2024, arXiv:2501.08267): text, words about the image, and hashtags, fused per token, then a CRF.

    characters --Bi-GRU--> (2-3) \\
    words: table or transformer (1) +--> Bi-GRU per view (4-7) --> fusion (11-12) --> linear --> CRF (13-16)
    image words, hashtag words --> /

Deviations from the paper:
- The word table may be a pretrained transformer (the conclusion's "pre-trained language models").
- Fusion may be the conclusion's attention between modalities (`fusion="cross"`) instead of equations 11-12 over views.
- Hidden widths are per direction; the paper does not say.
- Dropout is also applied to the fused states before the output layer (the paper: only to the embeddings).
- The image branch reads *words about the image* (a caption, alt text, class words of the CNN) instead of a caption's
  hidden states, since the benchmarks' pixels are not available.
- Pooled pixel features are masked until a model was trained on pixels (`use_pixels`).
- Hashtags are segmented before (models/hashtags/segmenter.py).
- Mentions may be the spans above a probability (`least_confidence`) instead of equation 16's sequence.
- `mismatch_penalty` addresses the limitations section ("the assumption of strict matching between textual content and
  associated images"): in training, the weight of *another* post's image words is added to the loss.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models.architectures.base import SequenceTagger
from models.core.batch import Batch
from models.core.inputs import Inputs
from models.layers.characters import CharacterCNN, CharacterEncoder
from models.layers.crf import ConstrainedCRF
from models.layers.fusion import AttentionFusion, CrossModalFusion
from models.layers.modality_views import VIEWS, TableWords, TransformerWords
from models.layers.recurrent import BiGRU, BiLSTM


@dataclass(frozen=True)
class TriModConfig:
    """Hyper-parameters; defaults are from the paper's Table II and section V-A, if given there."""

    labels: tuple[str, ...]
    text_encoder: str = ""
    """A pretrained transformer by name (models/text/pretrained.py), or empty for the paper's word table."""
    adapters: int = 0
    """Rank of the transformer's low-rank adapters; 0: its weights are trained directly."""
    tune_biases: bool = False
    """Whether the transformer's biases and norms are trained in addition to the adapters."""
    read_case: bool = False
    """Whether the transformer gets the case of each token (its own pieces are lower case)."""
    word_size: int = 200
    """Width of the word table (section IV-A)."""
    character_size: int = 30
    character_hidden: int = 30
    word_hidden: int = 150
    character_encoder: Literal["gru", "cnn", "none"] = "gru"
    """The paper's Bi-GRU; a convolution or nothing in the baselines."""
    recurrent: Literal["gru", "lstm", "none"] = "gru"
    """The layer over the words: the paper's Bi-GRU; a BiLSTM or nothing in the baselines."""
    dropout: float = 0.55
    max_characters: int = 24
    fusion: Literal["views", "cross"] = "views"
    """Equations 11-12 over views of the modalities, or attention between them first."""
    reads: tuple[str, ...] = VIEWS
    """The modalities that are read; ablations and text-only baselines omit some."""
    heads: int = 6
    """Heads of the attention between modalities."""
    mismatch_penalty: float = 0.0
    """Weight in the loss of the image's modality weight in posts with another post's image."""
    use_pixels: bool = False
    """Whether pooled image features are read; False until trained on pixels."""
    pooled_size: int = 1280
    least_confidence: float = 0.0
    """0: mentions come from the Viterbi path (equation 16). Otherwise: every span above this probability; of
    overlapping spans, the likelier is kept."""

    @property
    def inputs(self) -> Inputs:
        """What the model reads."""
        rows: Literal["joint", "views"] = "joint" if self.fusion == "cross" else "views"
        return Inputs(self.text_encoder, rows, self.reads, self.max_characters, image_size=self.pooled_size)


class TriMod(SequenceTagger):
    """The main model; its modality weights are those of text, image and hashtags."""

    modalities = VIEWS
    config: TriModConfig

    def __init__(self, config: TriModConfig, words: int, characters: int) -> None:
        """`words` and `characters` are the sizes of the vocabularies."""
        super().__init__()
        self.config = config
        self.decide_by(config.least_confidence)
        self.words: TableWords | TransformerWords
        if config.text_encoder:
            self.words = TransformerWords(
                config.text_encoder, config.dropout, config.adapters, config.read_case, config.tune_biases
            )
        else:
            self.words = TableWords(words, config.word_size, config.dropout)
        self.characters = _character_encoder(config, characters)
        token = self.words.size + (0 if self.characters is None else 2 * config.character_hidden)
        size = token if config.recurrent == "none" else 2 * config.word_hidden
        self.context = _recurrent(config, token)
        pixels = self.words.size if config.fusion == "cross" else size
        self.pixels = nn.Linear(config.pooled_size, pixels) if config.use_pixels else None
        self.fusion: AttentionFusion | CrossModalFusion
        if config.fusion == "cross":
            if size % config.heads:
                raise ValueError(
                    f"2 * word_hidden must be a multiple of heads, got {size} and {config.heads}"
                )
            self.fusion = CrossModalFusion(size, self.words.size, config.heads, config.dropout)
        else:
            self.fusion = AttentionFusion(len(VIEWS), size)
        self.dropout = nn.Dropout(config.dropout)
        self.emit = nn.Linear(size, len(config.labels))
        self.crf = ConstrainedCRF(config.labels)

    def word_tables(self) -> list[nn.Embedding]:
        """The word table, unless a transformer is used instead."""
        return [self.words.embed] if isinstance(self.words, TableWords) else []

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Emissions [batch, length, labels] and modality weights [3, batch, length], in the order of VIEWS."""
        if isinstance(self.fusion, CrossModalFusion):
            fused, weights = self._attend(batch, self.fusion)
        else:
            fused, weights = self.fusion(*self._with_pixels(batch, self._contexts(batch)))
        return self.emit(self.dropout(fused)), weights

    def _contexts(self, batch: Batch) -> Tensor:
        """Equations 4-7 for each view that a post has: [3, batch, length, 2 word_hidden]."""
        views = self.words(batch)
        view, post = batch.present.nonzero(as_tuple=True)
        states = self._states(batch, views[view, post], post)
        contexts = states.new_zeros(*views.shape[:3], states.shape[-1])
        return contexts.index_put((view, post), states)

    def _states(self, batch: Batch, words: Tensor, post: Tensor) -> Tensor:
        """Equations 4-7 over rows of word features [rows, length, word size]; row i belongs to post[i]."""
        if self.characters is not None:
            words = torch.cat([words, self.characters(batch)[post]], dim=-1)
        if self.context is None:
            return words
        states: Tensor | tuple[Tensor, Tensor] = self.context(words, batch.lengths[post.cpu()])
        return states[0] if isinstance(states, tuple) else states

    def _with_pixels(self, batch: Batch, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """The contexts with pooled image features in the image's view, and which views are present."""
        if self.pixels is None:
            return contexts, batch.present
        pixels = torch.tanh(self.pixels(batch.pooled)) * batch.has_pooled.unsqueeze(-1)
        image = contexts[1] + pixels.unsqueeze(1).to(contexts.dtype)
        return torch.stack([contexts[0], image, contexts[2]]), _present(batch)

    def _attend(self, batch: Batch, fusion: CrossModalFusion) -> tuple[Tensor, Tensor]:
        states = self.words.states(batch)
        context = self._states(
            batch, states.text, torch.arange(len(batch.lengths), device=states.text.device)
        )
        image, image_mask, present = states.image, states.image_mask, batch.present
        if self.pixels is not None:  # pixels count as one more image word
            pixels = torch.tanh(self.pixels(batch.pooled)).unsqueeze(1).to(image.dtype)
            image = torch.cat([image, pixels], dim=1)
            image_mask = torch.cat([image_mask, batch.has_pooled.unsqueeze(1)], dim=1)
            present = _present(batch)
        others = [(image, image_mask), (states.hashtags, states.hashtags_mask)]
        fused: tuple[Tensor, Tensor] = fusion(context, batch.mask, others, present)
        return fused

    def loss(self, batch: Batch) -> Tensor:
        """Mean CRF loss (equation 15) of a batch with tags, plus the penalty for mismatched images."""
        emissions, weights = self(batch)
        loss = self.loss_of(emissions, batch)
        if self.config.mismatch_penalty and bool(batch.other_image.any()):
            wrong = batch.mask & batch.other_image.unsqueeze(1)
            loss = loss + self.config.mismatch_penalty * weights[1][wrong].mean()
        return loss


def _character_encoder(config: TriModConfig, characters: int) -> CharacterEncoder | CharacterCNN | None:
    size, hidden = config.character_size, config.character_hidden
    if config.character_encoder == "cnn":
        return CharacterCNN(characters, size, 2 * hidden, 3, config.dropout)
    if config.character_encoder == "gru":
        return CharacterEncoder(characters, size, hidden, config.dropout)
    return None


def _recurrent(config: TriModConfig, size: int) -> BiGRU | BiLSTM | None:
    if config.recurrent == "lstm":
        return BiLSTM(size, config.word_hidden)
    return BiGRU(size, config.word_hidden) if config.recurrent == "gru" else None


def _present(batch: Batch) -> Tensor:
    """Which modalities each post has [3, batch]; pixels count as the image's."""
    present = batch.present.clone()
    present[1] |= batch.has_pooled
    return present
