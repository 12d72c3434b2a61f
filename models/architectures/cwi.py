"""CWI (Asgari-Chenaghlu et al. 2020, arXiv:2001.06888): characters, words and an image's class words, then a CRF.

    characters --convolutions (Table 4)--------------\\
    words: GloVe + fastText --BiLSTM (Table 5)--------+--> BiLSTM (Table 7) [--> attention (13-15)] --> CRF
    5 class words --embedding, LSTM (Table 6)--------/

Corrections of misprints:
- Table 4's pools need stride 1 and same padding; otherwise its concatenations (layers 10, 12, 14) do not fit.
- Table 7's CRF follows layer 31, not 30.
- Section 3 says that targeted dropout drops values "over a threshold". The cited paper (Gomez et al. 2018) drops the
  *smallest* values, and so does this code.

Interpretations of unspecified details:
- "35 x 40" is 35 tokens of 40 characters. Here a post may have any number of tokens; 40 characters of each are read.
- The paper does not say how [characters, 32] of layer 17 becomes one feature per token. Here it is the maximum over the
  characters.
- Targeted dropout ranks the 32 outputs at each character; outside training it does nothing.
- Group normalization computes its statistics over all characters of the post, not of a token: a token of one character
  has only two values per group, so only their order would remain.
- The attention of "CWI + attention" follows layer 31 (section 4.2), where the modalities are already mixed. So it
  cannot be "applied to this triplet", and there are no modality weights: in (13-15), token i attends to every token t.
- `regularised=False` (Table 9) leaves out layers 15-17, so the convolutions that follow the pools are linear.

Deviations:
- Without pixels, the image words come from a caption: its first five content words. A model trained on pixels reads the
  last word of the name of each of the five likeliest classes.
- Padding is masked after each layer; Keras processes it in the convolutions.
- `dropout` is applied to the inputs of both BiLSTMs and of the CRF; the paper has none (0).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence

from models.architectures.base import SequenceTagger
from models.core.batch import Batch
from models.core.inputs import Inputs
from models.layers.characters import SameConvolution, maximum, per_token
from models.layers.crf import ConstrainedCRF
from models.layers.recurrent import BiLSTM
from models.layers.word_tables import WordTables, table
from models.vision.backbones import DEFAULT, feature_size

CONVOLUTIONS = ((2, 16), (3, 32), (4, 64), (4, 64), (3, 32), (2, 16))
"""Table 4's layers 3, 5, 7, 9, 11, 13: kernel width and number of kernels."""


@dataclass(frozen=True)
class CWIConfig:
    """Hyper-parameters; defaults are Tables 4-7 of the paper."""

    labels: tuple[str, ...]
    attention: bool = False
    """CWI + attention: equations 13-15 between the last BiLSTM and the CRF."""
    regularised: bool = True
    """Targeted dropout, SineReLU and group normalization (Table 9)."""
    glove_size: int = 200
    fasttext_size: int = 300
    """Widths of the two word tables, together Table 8's "embedding size"."""
    character_size: int = 40
    max_characters: int = 40
    drop_rate: float = 0.25
    target_rate: float = 0.4
    epsilon: float = 0.0025
    groups: int = 16
    word_hidden: int = 100
    class_words: int = 5
    class_word_size: int = 50
    class_word_hidden: int = 50
    fusion_hidden: int = 100
    dropout: float = 0.0
    backbone: str = DEFAULT
    """The ImageNet classifier that gives the class words (the paper: `inception_v3`)."""
    use_pixels: bool = False
    """Whether the image words are its likeliest classes; False until trained on pixels."""

    @property
    def inputs(self) -> Inputs:
        """What the model reads."""
        return Inputs(
            reads=("text", "image"),
            max_characters=self.max_characters,
            image_words="classes" if self.use_pixels else "content",
            max_image_words=self.class_words,
            backbone=self.backbone,
            image_size=feature_size(self.backbone),
        )


class CWI(SequenceTagger):
    """The Character-Word-Image model, with or without attention. It has no modality weights."""

    config: CWIConfig

    def __init__(self, config: CWIConfig, words: int, characters: int) -> None:
        """`words` and `characters` are the sizes of the vocabularies."""
        super().__init__()
        self.config = config
        self.characters = CharacterFeatures(config, characters)
        self.words = WordTables(words, (config.glove_size, config.fasttext_size), uniform)
        self.context = BiLSTM(self.words.size, config.word_hidden)
        self.image = ClassWords(words, config.class_word_size, config.class_word_hidden)
        size = self.characters.size + 2 * config.word_hidden + config.class_word_hidden
        self.fusion = BiLSTM(size, config.fusion_hidden)
        self.attention = SelfAttention(2 * config.fusion_hidden) if config.attention else None
        self.dropout = nn.Dropout(config.dropout)
        self.emit = nn.Linear(2 * config.fusion_hidden, len(config.labels))
        self.crf = ConstrainedCRF(config.labels)

    def word_tables(self) -> list[nn.Embedding]:
        """The tables of word embeddings."""
        return self.words.embeddings()

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Emissions [batch, length, labels] and no weights [0, batch, length]."""
        words = self.context(self.dropout(self.words(batch.words)), batch.lengths)
        image = self.image(batch).unsqueeze(1).expand(-1, words.shape[1], -1)
        joined = torch.cat([self.characters(batch), words, image], dim=-1)  # layer 28
        states = self.fusion(self.dropout(joined), batch.lengths)
        if self.attention is not None:
            states = self.attention(states, batch.mask)
        emissions = self.emit(self.dropout(states))
        return emissions, emissions.new_zeros(0, *batch.mask.shape)


class CharacterFeatures(nn.Module):
    """Table 4: three convolutions with pools, then three without, each concatenated with an earlier layer."""

    def __init__(self, config: CWIConfig, characters: int) -> None:
        super().__init__()
        self.embed = table(characters, config.character_size, uniform)
        filters = [count for _, count in CONVOLUTIONS]
        before = [config.character_size, *filters[:3], 2 * filters[2], 2 * filters[1]]
        self.convolutions = nn.ModuleList(
            SameConvolution(channels, count, width)
            for channels, (width, count) in zip(before, CONVOLUTIONS, strict=True)
        )
        self.size = 2 * filters[0]
        self.regularise = Regularisers(config, self.size) if config.regularised else None

    def forward(self, batch: Batch) -> Tensor:
        """[batch, length, 32], zeros on padding."""
        mask = batch.characters.ne(0)
        features = self._convolve(self.embed(batch.characters).transpose(1, 2), mask)
        if self.regularise is not None:
            features = self.regularise(features, mask, batch)
        return per_token(maximum(features, mask), batch.mask)

    def _convolve(self, features: Tensor, mask: Tensor) -> Tensor:
        """Layers 3-14: [tokens, size, characters] -> [tokens, 32, characters], zeros on padding."""
        pooled = []
        for convolution in self.convolutions[:3]:
            features = pool(convolution(features, mask), mask)
            pooled.append(features)
        for convolution in self.convolutions[3:]:
            features = torch.cat([pooled.pop(), convolution(features, mask)], dim=1)
        return features


class Regularisers(nn.Module):
    """Table 4's layers 15-17, the "TD + SineReLU + GN" that Table 9 leaves out."""

    def __init__(self, config: CWIConfig, channels: int) -> None:
        super().__init__()
        self.drop = TargetedDropout(config.drop_rate, config.target_rate)
        self.activate = SineReLU(config.epsilon)
        self.norm = PostGroupNorm(config.groups, channels)

    def forward(self, features: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """[tokens, channels, characters] -> the same; mask [tokens, characters]."""
        post = batch.mask.nonzero()[:, 0]
        normal: Tensor = self.norm(self.activate(self.drop(features)), mask, post, len(batch.words))
        return normal


class ClassWords(nn.Module):
    """Table 6: an LSTM over the image words; zeros for a post without any."""

    def __init__(self, words: int, size: int, hidden: int) -> None:
        super().__init__()
        self.embed = table(words, size, uniform)
        self.lstm = nn.LSTM(size, hidden, batch_first=True)

    def forward(self, batch: Batch) -> Tensor:
        """[batch, hidden]: the last state."""
        lengths = batch.image_words.ne(0).sum(dim=1)
        # Packing needs at least one word; the result for padding is dropped.
        packed = pack_padded_sequence(
            self.embed(batch.image_words), lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        last: Tensor = self.lstm(packed)[1][0][0]
        return last * lengths.ne(0).unsqueeze(1)


class SelfAttention(nn.Module):
    """Equations 13-15: u_i = tanh(W h_i + b), alpha_it = softmax over t of h_t . u_i, beta_i = sum_t alpha_it h_t.

    W is initialized to the identity, so that a token attends to itself and to similar tokens, not to all equally.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, size)
        nn.init.eye_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """[batch, length, size], [batch, length] -> [batch, length, size]."""
        scores = torch.tanh(self.project(states)) @ states.transpose(1, 2)
        return scores.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=-1) @ states


class SineReLU(nn.Module):
    """Equation 11: x where x > 0, else epsilon (sin x - cos x)."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.where(inputs > 0, inputs, self.epsilon * (torch.sin(inputs) - torch.cos(inputs)))


class TargetedDropout(nn.Module):
    """In training, drops each of the smallest outputs (a share `target_rate` of the channels) at rate `drop_rate`.

    The others are not scaled up, because little is lost with the smallest (Gomez et al. 2018).
    """

    def __init__(self, drop_rate: float, target_rate: float) -> None:
        super().__init__()
        self.drop_rate, self.target_rate = drop_rate, target_rate

    def forward(self, inputs: Tensor) -> Tensor:
        """[rows, channels, length], ranked over the channels; unchanged outside training."""
        if not self.training:
            return inputs
        targets = int(self.target_rate * inputs.shape[1])
        smallest = inputs.detach().abs().topk(targets, dim=1, largest=False).indices
        dropped = torch.rand_like(smallest, dtype=torch.float) < self.drop_rate
        return inputs.masked_fill(
            torch.zeros_like(inputs, dtype=torch.bool).scatter(1, smallest, dropped), 0.0
        )


class PostGroupNorm(nn.Module):
    """Group normalization (Wu and He 2018) over the characters of a post; each row contains one token's."""

    def __init__(self, groups: int, channels: int) -> None:
        super().__init__()
        self.groups, self.epsilon = groups, 1e-5
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, inputs: Tensor, mask: Tensor, post: Tensor, posts: int) -> Tensor:
        """[rows, channels, length] -> the same, with mean 0 and variance 1 in each group of a post, then scaled.

        mask [rows, length]; post [rows]: index of each row's post, less than `posts`. Values on padding are undefined.
        """
        grouped = inputs.float().reshape(len(inputs), self.groups, -1, inputs.shape[2])
        kept = mask[:, None, None, :]

        def mean(values: Tensor) -> Tensor:
            """The mean for each row's post and group: [rows, groups, 1, 1]."""
            rows = (values * kept).sum(dim=(2, 3))
            sums = rows.new_zeros(posts, self.groups).index_add(0, post, rows)
            counts = rows.new_zeros(posts).index_add(0, post, mask.sum(dim=1).to(rows)) * values.shape[2]
            return (sums / counts.unsqueeze(1))[post, :, None, None]

        centred = grouped - mean(grouped)
        normal = (centred * torch.rsqrt(mean(centred**2) + self.epsilon)).reshape(inputs.shape)
        scaled: Tensor = normal * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)
        return scaled.to(inputs.dtype)


def pool(features: Tensor, mask: Tensor) -> Tensor:
    """Layers 4, 6, 8: the maximum of each character and the next; keeps the length, and padding is zero."""
    seen = features.masked_fill(~mask.unsqueeze(1), float("-inf"))
    following = pad(seen[:, :, 1:], (0, 1), value=float("-inf"))
    return torch.maximum(seen, following).masked_fill(~mask.unsqueeze(1), 0.0)


def uniform(weight: Tensor) -> None:
    """Section 3 and Table 4: weights that are not pretrained are uniform between -0.25 and 0.25."""
    nn.init.uniform_(weight, -0.25, 0.25)
