"""HSN (Tian et al. 2021, Neurocomputing 439): hierarchical attention between text and image, and a gate, then a CRF.

    words, characters, parts of speech --highway (5), BiLSTM (6)--> H --------------------+
    7 x 7 regions (7) or words about the image --> V                                      |
    text to image: G = s_img V (8-16); image to text: F = s_sen H --> gate (17-18) of H and F --> CRF

Corrections of misprints: (12) sums over the k regions and divides by k, not n. (13) is A times beta, not A transposed
times beta, whose shapes do not fit. (14) sums over the e heads and divides by e, not n.

Interpretations of unspecified details:
- "BiLSTM hidden state size 400" is d, the width of H (equation 6) and of V (Table 2): 200 in each direction.
- The character CNN is that of its reference [21]: windows of 3 characters, and the maximum. It has as many filters as
  the character embeddings have dimensions. The highway is one layer with ReLU that first passes its input (bias -1).
- gamma "consists of n scalars", so W_gamma and U_gamma are [1, d]; one scalar weighs all of a token's features.
- Equation 14's softmax is over weights that are already between 0 and 1, so the result is nearly uniform. F is then
  about H divided by the number of words, regardless of the image, which hardly ever changes a trained model's tags
  (docs/results.md).
- Each head sees d / e of the width, as in its reference [20]. Without the multi-head process (`heads=1`) equations
  8-13 stand alone: no projection, and no second softmax.
- Without hierarchical attention (`attention="luong"`), one level remains in both units: the attention of each word over
  the regions (9), averaged over the words (beta is uniform). Its score is Luong's "general" if heads have projections.
- Without the gate, H and F are concatenated. Without visual features (captions or pixels), all posts have a blank
  image.

Deviations: without pixels, the caption's words are the regions. They are embedded like the text's words, with a
separate layer as in (7). With both, all are regions. "A blank picture tiled with default constant" for a post without
an image is one learned region: the picture's 49 regions would all be equal, so it does not depend on the CNN.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models.architectures.base import SequenceTagger
from models.core.batch import Batch
from models.core.inputs import Inputs
from models.layers.characters import CharacterCNN
from models.layers.crf import ConstrainedCRF
from models.layers.recurrent import BiLSTM
from models.layers.word_tables import WordTables
from models.text.part_of_speech import TAGS
from models.vision.backbones import DEFAULT, feature_size

CHARACTER_WINDOW = 3
"""Width of a filter in characters (Ma and Hovy 2016, Table 1)."""


@dataclass(frozen=True)
class HSNConfig:
    """Hyper-parameters; defaults are the paper's Table 2 and section 4.3."""

    labels: tuple[str, ...]
    word_size: int = 300
    character_size: int = 50
    part_of_speech_size: int = 50
    hidden: int = 400
    """d, the width of the text's and the regions' features."""
    heads: int = 8
    """e; 1: no multi-head process (Table 5)."""
    attention: Literal["hierarchical", "luong"] = "hierarchical"
    gate: bool = True
    use_captions: bool = True
    """Whether words about the image are regions."""
    use_pixels: bool = False
    """Whether the cells of the CNN's grid are regions, 7 x 7 of most; False until trained on pixels."""
    backbone: str = DEFAULT
    """The ImageNet classifier whose grid is read (the paper: `vgg16`)."""
    image_size: int = 0
    """Width of the features of a grid cell; 0: the classifier's."""
    max_characters: int = 24
    max_image_words: int = 40
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.hidden % 2 or self.hidden % self.heads:
            raise ValueError(
                f"hidden must be even and a multiple of heads, got {self.hidden} and {self.heads}"
            )

    @property
    def inputs(self) -> Inputs:
        """What the model reads."""
        return Inputs(
            reads=("text", "image") if self.use_captions or self.use_pixels else ("text",),
            max_characters=self.max_characters,
            part_of_speech=True,
            max_image_words=self.max_image_words if self.use_captions else 0,
            regions="grid" if self.use_pixels else "none",
            backbone=self.backbone,
            image_size=self.image_size or feature_size(self.backbone),
        )


class HSN(SequenceTagger):
    """Its weights are the gate's: gamma for the text's features, 1 - gamma for the fused ones; none without a gate."""

    modalities: tuple[str, ...] = ("text", "fused")
    config: HSNConfig

    def __init__(self, config: HSNConfig, words: int, characters: int) -> None:
        """`words` and `characters` are the sizes of the vocabularies."""
        super().__init__()
        self.config = config
        self.words = WordTables(words, (config.word_size,), gaussian)
        self.characters = CharacterCNN(
            characters, config.character_size, config.character_size, CHARACTER_WINDOW, config.dropout
        )
        self.part_of_speech = nn.Embedding(len(TAGS) + 1, config.part_of_speech_size, padding_idx=0)
        size = config.word_size + config.character_size + config.part_of_speech_size
        self.highway = Highway(size)
        self.context = BiLSTM(size, config.hidden // 2)
        self.regions = Regions(config)
        self.to_image = HierarchicalAttention(config.hidden, config.heads, config.attention)
        self.to_text = HierarchicalAttention(config.hidden, config.heads, config.attention)
        self.gate = Gate(config.hidden) if config.gate else None
        if not config.gate:
            self.modalities = ()
        self.dropout = nn.Dropout(config.dropout)
        self.emit = nn.Linear(config.hidden if config.gate else 2 * config.hidden, len(config.labels))
        self.crf = ConstrainedCRF(config.labels)

    def word_tables(self) -> list[nn.Embedding]:
        """The tables of word embeddings."""
        return self.words.embeddings()

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Emissions [batch, length, labels] and the gate's weights [2, batch, length], or [0, batch, length]."""
        text = self._text(batch)
        regions, known = self.regions(batch, self.dropout(self.words(batch.image_words)))
        image_weights = self.to_image(regions, known, text, batch.mask)
        guided = image_weights.unsqueeze(-1) * regions  # (16)
        text_weights = self.to_text(text, batch.mask, guided, known)
        fused = text_weights.unsqueeze(-1) * text
        if self.gate is None:
            emissions = self.emit(self.dropout(torch.cat([text, fused], dim=-1)))
            return emissions, emissions.new_zeros(0, *batch.mask.shape)
        merged, gamma = self.gate(text, fused)
        return self.emit(self.dropout(merged)), torch.stack([gamma, 1 - gamma])

    def _text(self, batch: Batch) -> Tensor:
        """Equations 5-6: H [batch, length, hidden], zeros on padding."""
        features = [self.words(batch.words), self.part_of_speech(batch.part_of_speech)]
        tokens = torch.cat([self.dropout(torch.cat(features, dim=-1)), self.characters(batch)], dim=-1)
        states: Tensor = self.context(torch.tanh(self.highway(tokens)), batch.lengths)
        return states


class Highway(nn.Module):
    """Srivastava et al. 2015, equation 3: T relu(W x + b) + (1 - T) x with T = sigmoid(W_T x + b_T)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.transform, self.share = nn.Linear(size, size), nn.Linear(size, size)
        nn.init.constant_(self.share.bias, -1.0)

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., size] -> [..., size]"""
        share = torch.sigmoid(self.share(inputs))
        return share * torch.relu(self.transform(inputs)) + (1 - share) * inputs


class Regions(nn.Module):
    """Equation 7: the image's features as regions of the text's width, or one blank region."""

    def __init__(self, config: HSNConfig) -> None:
        super().__init__()
        self.captions = nn.Linear(config.word_size, config.hidden) if config.use_captions else None
        self.pixels = nn.Linear(config.inputs.image_size, config.hidden) if config.use_pixels else None
        self.blank = nn.Parameter(torch.rand(config.hidden))

    def forward(self, batch: Batch, image_words: Tensor) -> tuple[Tensor, Tensor]:
        """V [batch, k, hidden], k >= 1, and its mask [batch, k]; each row has at least one region.

        image_words: embeddings of the words about the image [batch, words, word size].
        """
        regions, masks = [], []
        if self.captions is not None:
            regions.append(self.captions(image_words).relu())
            masks.append(batch.image_words.ne(0))
        if self.pixels is not None:
            regions.append(self.pixels(batch.regions).relu())
            masks.append(batch.regions_mask)
        blank = self.blank.expand(len(batch.words), 1, -1)
        seen = torch.cat([*masks, torch.zeros_like(batch.mask[:, :1])], dim=1)
        seen[:, -1] = ~seen.any(dim=1)
        return torch.cat([*regions, blank], dim=1), seen


class HierarchicalAttention(nn.Module):
    """Multi-head hierarchical attention (8-15): the weight of each row of one modality, guided by the other.

    Text to image weighs the regions by the words, as in the equations; image to text weighs the words by the regions.
    """

    def __init__(self, size: int, heads: int, attention: Literal["hierarchical", "luong"]) -> None:
        super().__init__()
        self.heads, self.hierarchical = heads, attention == "hierarchical"
        self.weighed = nn.Linear(size, size, bias=False) if heads > 1 else nn.Identity()
        self.guide = nn.Linear(size, size, bias=False) if heads > 1 else nn.Identity()

    def forward(self, weighed: Tensor, weighed_mask: Tensor, guide: Tensor, guide_mask: Tensor) -> Tensor:
        """The weights s of the rows of `weighed`, which sum to 1; 0 on padding [batch, k].

        weighed [batch, k, size], guide [batch, n, size]; each post has a row of both.
        """
        scores = self._split(self.weighed(weighed)) @ self._split(self.guide(guide)).transpose(2, 3)  # (8)
        rows, columns = weighed_mask[:, None, :, None], guide_mask[:, None, None, :]
        alpha = scores.masked_fill(~rows, float("-inf")).softmax(dim=2)  # (9), and A (10)
        if self.hierarchical:
            betas = scores.masked_fill(~columns, float("-inf")).softmax(dim=3)  # (11)
            beta = (betas * rows).sum(dim=2, keepdim=True) / rows.sum(dim=2, keepdim=True)  # (12)
        else:
            beta = columns / columns.sum(dim=3, keepdim=True)
        weights = (alpha * beta).sum(dim=3)  # A beta (13): [batch, heads, k]
        if self.heads > 1:  # (14)
            weights = weights.masked_fill(~weighed_mask.unsqueeze(1), float("-inf")).softmax(dim=2)
        return weights.mean(dim=1)

    def _split(self, features: Tensor) -> Tensor:
        """[batch, rows, size] -> [batch, heads, rows, size / heads]"""
        return features.view(*features.shape[:2], self.heads, -1).transpose(1, 2)


class Gate(nn.Module):
    """Self-adaptive multimodal integration (17-18): gamma = 1 keeps the text's own features only."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.text, self.fused = nn.Linear(size, 1), nn.Linear(size, 1, bias=False)

    def forward(self, text: Tensor, fused: Tensor) -> tuple[Tensor, Tensor]:
        """H and F [batch, length, size] -> O [batch, length, size] and gamma [batch, length]."""
        gamma = torch.sigmoid(self.text(text) + self.fused(fused))
        return gamma * text + (1 - gamma) * fused, gamma.squeeze(-1)


def gaussian(weight: Tensor) -> None:
    """Section 4.3: other weights are "initialized by Gaussian random sampling", with an unspecified variance."""
    nn.init.normal_(weight, std=0.1)
