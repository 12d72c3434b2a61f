"""The captioner: from an image's CNN regions to a caption (TriMod section IV-B, "Visual Feature Extractor").

The encoder is a frozen CNN (models/vision/efficientnet.py; "only the decoder part had to be trained"). The decoder is
an LSTM with additive attention over regions, as in Xu et al. 2015, "Show, Attend and Tell", whose equations are cited
below. Captions are found by beam search for many images at once; no caption depends on the other images.

Deviations from the papers:
- EfficientNet-Lite0 instead of TriMod's ResNet-50: its weights install from the package index.
- TriMod chooses "the number of selected objects (k)" on validation data, but does not say how objects are selected.
  Here an object is a cell of the CNN's 7 x 7 grid. The decoder attends to the k cells with the strongest features (L2
  norm), and to the whole image (the mean over the grid).
- Regions go through a learned projection; Xu's decoder reads them directly. Output and input words share one table.
  There is no doubly stochastic penalty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.vision.efficientnet import FEATURES, REGIONS

PAD, START, END, UNKNOWN = range(4)
"""Special word ids; those of the vocabulary follow."""
SPECIAL = 4


@dataclass(frozen=True)
class CaptionerConfig:
    """Hyper-parameters.

    vocabulary: the words, without the special ones. objects: k, the regions attended to (TriMod chooses it by
    validation and does not give it; 16 is ours). max_words: maximum caption length. beam: hypotheses kept while
    searching. length_power: a hypothesis' log probability is divided by its length to this power; 0 prefers short
    captions.
    """

    vocabulary: tuple[str, ...]
    objects: int = 16
    embedding: int = 256
    region: int = 256
    attention: int = 128
    hidden: int = 384
    dropout: float = 0.3
    max_words: int = 20
    beam: int = 3
    length_power: float = 0.7

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "CaptionerConfig":
        """The configuration in a parsed JSON object. Raises KeyError or TypeError if it is invalid."""
        return cls(**{**stored, "vocabulary": tuple(stored["vocabulary"])})


@dataclass(frozen=True, slots=True)
class Objects:
    """Input of the decoder's attention: values [n, 1 + k, region], keys [n, 1 + k, attention]; the image first."""

    values: Tensor
    keys: Tensor


State = tuple[Tensor, Tensor]
"""The LSTM's h and c, each [n, m, hidden], for m partial captions of each of n images."""


class Captioner(nn.Module):
    """From regions to captions. Raises ValueError if the number of objects exceeds the grid."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        if not 1 <= config.objects <= REGIONS:
            raise ValueError(f"objects must be 1 to {REGIONS}, got {config.objects}")
        self.config = config
        self.project = nn.Sequential(
            nn.Linear(FEATURES, config.region), nn.ReLU(), nn.LayerNorm(config.region)
        )
        self.keys = nn.Linear(config.region, config.attention)
        self.query = nn.Linear(config.hidden, config.attention, bias=False)
        self.score = nn.Parameter(torch.randn(config.attention) * config.attention**-0.5)
        self.gate = nn.Linear(config.hidden, config.region)
        self.start = nn.Linear(config.region, 2 * config.hidden)
        self.embed = nn.Embedding(SPECIAL + len(config.vocabulary), config.embedding, padding_idx=PAD)
        # nn.LSTMCell in two parts: in training, the first is computed for all words at once, because they are known
        self.word_gates = nn.Linear(config.embedding, 4 * config.hidden)
        self.state_gates = nn.Linear(config.hidden + config.region, 4 * config.hidden, bias=False)
        self.output = nn.Linear(config.hidden + config.region, config.embedding)
        self.bias = nn.Parameter(torch.zeros(SPECIAL + len(config.vocabulary)))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embed.weight, std=config.embedding**-0.5)
        nn.init.ones_(self.word_gates.bias[config.hidden : 2 * config.hidden])  # initially, forget little

    def forward(self, selected: Tensor, words: Tensor) -> Tensor:
        """Logits [n, m, t, words] of the word after each of `words` [n, m, t], which begin with START.

        selected: [n, 1 + k, 1280] from `select`; m captions share an image. Logits do not depend on later words, so
        padding at the end has no effect on earlier ones.
        """
        objects = self.look(selected)
        state = self.begin(objects, words.shape[1])
        embedded = self.dropout(self.embed(words))
        outputs = []
        for gates in self.word_gates(embedded).unbind(dim=2):
            output, state = self.step(objects, gates, state)
            outputs.append(output)
        return self.logits(torch.stack(outputs, dim=2), embedded)

    def look(self, selected: Tensor) -> Objects:
        """The result of `select`, [n, 1 + k, 1280], projected."""
        values = self.project(selected)
        return Objects(values, self.keys(values))

    def begin(self, objects: Objects, captions: int) -> State:
        """The state before the first word, from the whole image (Xu, section 3.1.2)."""
        start = self.start(objects.values[:, :1]).tanh().expand(-1, captions, -1)
        h, c = start.chunk(2, dim=-1)
        return h, c

    def step(self, objects: Objects, gates: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step: returns the output layer's input (h and context [n, m, hidden + region]) and the new state.

        gates: [n, m, 4 hidden], `word_gates` of the previous word. The LSTM is Xu's equations 1-3; attention is
        equations 4-6 with additive scores. The gate beta is from section 4.2.1, but with one value per feature.
        """
        h, c = state
        # in float32 also under autocast: tanh of bfloat16 takes four times as long on a CPU
        hidden = (objects.keys[:, None].float() + self.query(h)[:, :, None].float()).tanh()
        weights = (hidden * self.score).sum(dim=-1).softmax(dim=-1)
        context = self.gate(h).sigmoid() * (weights @ objects.values)
        gates = gates + self.state_gates(torch.cat([h, context], dim=-1))
        write, keep, read, new = gates.chunk(4, dim=-1)
        c = keep.sigmoid() * c + write.sigmoid() * new.tanh()
        h = read.sigmoid() * c.tanh()
        return torch.cat([h, context], dim=-1), (h, c)

    def logits(self, outputs: Tensor, embedded: Tensor) -> Tensor:
        """Xu's deep output layer (equation 7, with a tanh), for the output of `step` and the previous word."""
        deep = self.dropout((self.output(outputs) + embedded).tanh())
        return nn.functional.linear(deep, self.embed.weight, self.bias)

    def caption(self, regions: Tensor) -> list[list[str]]:
        """The words of the best caption found for each image; regions: [n, 49, 1280], on any device."""
        return self.caption_selected(select(regions.to(self.bias), self.config.objects))

    def caption_selected(self, selected: Tensor) -> list[list[str]]:
        """Like `caption`, for the result of `select`: [n, 1 + k, 1280]."""
        return [
            [self.config.vocabulary[number - SPECIAL] for number in numbers if number >= SPECIAL]
            for numbers in self.search(selected).tolist()
        ]

    @torch.no_grad()
    def search(self, selected: Tensor) -> Tensor:
        """Word ids [n, t] of the likeliest captions by beam search, each ended by END or truncated, then PAD.

        selected: [n, 1 + k, 1280] from `select`.
        """
        n, beam = len(selected), self.config.beam
        objects = self.look(selected)
        state = self.begin(objects, beam)
        words = torch.full((n, beam), START, device=selected.device)
        found = words[..., None][..., :0]
        scores = torch.full((n, beam), -torch.inf, device=selected.device)
        scores[:, 0] = 0.0  # all hypotheses start equal, so only one of them counts
        while found.shape[2] < self.config.max_words and not _ended(words).all():
            embedded = self.embed(words)
            output, state = self.step(objects, self.word_gates(embedded), state)
            logits = self.logits(output, embedded)
            candidates = (scores[..., None] + _gains(logits, words)).flatten(1)
            scores, best = candidates.topk(beam)
            parents, words = best // logits.shape[-1], best % logits.shape[-1]
            state = _inherit(state[0], parents), _inherit(state[1], parents)
            found = torch.cat([_inherit(found, parents), words[..., None]], dim=-1)
        lengths = (found != PAD).sum(dim=-1)
        likeliest = (scores / lengths**self.config.length_power).argmax(dim=1)
        return found[torch.arange(n, device=found.device), likeliest]


def select(regions: Tensor, objects: int) -> Tensor:
    """The mean of each image's regions [n, 49, 1280], then its `objects` strongest: [n, 1 + objects, 1280]."""
    strongest = regions.norm(dim=-1).topk(objects).indices
    kept = regions.gather(1, strongest[..., None].expand(-1, -1, regions.shape[-1]))
    return torch.cat([regions.mean(dim=1, keepdim=True), kept], dim=1)


def _gains(logits: Tensor, words: Tensor) -> Tensor:
    """Log probabilities [n, m, words] of the next word; after END, only PAD follows, with log probability 0."""
    gains = logits.float().log_softmax(dim=-1)
    gains[..., [PAD, START, UNKNOWN]] = -torch.inf
    ended = _ended(words)
    gains.masked_fill_(ended[..., None], -torch.inf)
    gains[..., PAD].masked_fill_(ended, 0.0)
    return gains


def _ended(words: Tensor) -> Tensor:
    return (words == END) | (words == PAD)


def _inherit(rows: Tensor, parents: Tensor) -> Tensor:
    """rows [n, m, d], with rows[i, parents[i, j]] at [i, j]."""
    return rows.gather(1, parents[..., None].expand(-1, -1, rows.shape[-1]))
