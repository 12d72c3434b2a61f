"""The segmenter's lexicon: words and pairs of general English, and the weights of its log-linear model.

The weights are fitted to segmented hashtags, by maximum likelihood among the best candidates of each. Maddela et al.
(2019, "Multi-task pairwise neural ranking for hashtag segmentation") also rank candidates by language-model and case
features. The log odds of a hashtag must be out-of-fold: a network that was trained on the hashtag is overconfident, and
would get too much weight.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from models.hashtags.lexicon import Lexicon, LexiconConfig, flags, rows
from models.hashtags.lexicon_features import FEATURES, Pair, Word
from models.hashtags.lexicon_storage import pack, unpack
from models.hashtags.ranker import Ranker
from models.hashtags.segmenter import Segmenter
from training.hashtags.corpus import Example
from training.hashtags.frequencies import Frequencies

RAREST = 1e-9  # rarer words are not stored
PAIRS = 250_000  # number of pairs stored: the web's most frequent ones
CANDIDATES = 12
START = {  # a plausible model for finding candidates
    **{"log_probability": 0.3, "words": -1.5, "unknown": -1.5, "unknown_length": -1.0, "network": 0.5},
    **{"known_1": -2.0, "mixed": -2.5, "pair_information": 0.5, "letter_digit": 2.0, "digit_letter": 1.0},
}

Cut = Callable[[str, Sequence[float]], list[bool]]
"""Maps text and log odds to a flag per character, like Lexicon.cut."""


@dataclass(frozen=True)
class LexiconTables:
    """The stored words and word pairs with their log probabilities."""

    words: dict[str, Word]
    pairs: dict[tuple[str, str], Pair]

    def config(self, weights: Mapping[str, float]) -> LexiconConfig:
        """The configuration of a lexicon with these tables."""
        size = len(" ".join(self.words))
        return LexiconConfig(len(self.words), size, len(self.pairs), weights=dict(weights))


def lists(english: Frequencies, posts: Sequence[Sequence[str]]) -> LexiconTables:
    """The tables of general English and of phrases from posts, in the precision in which they are stored."""
    shares = {word: share for word, share in english.words.items() if share > RAREST}
    words = {
        word: Word(_log(english.general.get(word)), _log(english.web.get(word))) for word in sorted(shares)
    }
    web = ((pair, share) for pair, share in english.pairs.items() if words.keys() >= set(pair))
    frequent = dict(sorted(web, key=lambda item: (-item[1], item[0]))[:PAIRS])
    lower = ([word.lower() for word in phrase] for phrase in posts)
    counts = Counter(pair for phrase in lower for pair in pairwise(phrase) if words.keys() >= set(pair))
    pairs = {}
    for first, second in sorted(frequent.keys() | counts.keys()):
        share = frequent.get((first, second))
        information = math.log(share / shares[first] / shares[second]) if share else 0.0
        pairs[first, second] = Pair(information, math.log1p(counts[first, second]))
    return LexiconTables(*unpack(pack(words, pairs)))


def _log(share: float | None) -> float:
    return math.log(share) if share else 0.0


def fit(
    found: LexiconTables, examples: Sequence[Example], odds: Sequence[Sequence[float]], penalty: float
) -> Lexicon:
    """The lexicon whose weights make the examples' segmentations most likely among their candidates.

    odds: out-of-fold log odds of the network for each example. penalty: on the squared weights, in units of the
    standard deviations of their features.
    """
    start = Lexicon(found.words, found.pairs, found.config(START))
    described: list[Tensor] = []
    right: list[int] = []
    for example, row in zip(examples, odds, strict=True):
        text, ends = example.hashtag, example.ends
        candidates = start.best(text, row, CANDIDATES)
        if ends not in candidates:
            candidates.append(ends)
        described.append(rows(start.features(text, each, row) for each in candidates))
        right.append(candidates.index(ends))
    weights = _most_likely(described, right, penalty)
    named = dict(zip(FEATURES, (round(value, 4) for value in weights.tolist()), strict=True))
    return Lexicon(found.words, found.pairs, found.config(named))


def add(network: Segmenter, found: LexiconTables, weights: Mapping[str, float], ranker: Ranker) -> Segmenter:
    """The network together with the lexicon and the ranker."""
    hidden = ranker.first.out_features
    model = Segmenter(replace(network.config, lexicon=found.config(weights), ranker=hidden))
    tensors = {f"lexicon_{name}": tensor for name, tensor in pack(found.words, found.pairs).items()}
    tensors |= {f"ranker.{name}": tensor for name, tensor in ranker.state_dict().items()}
    model.load_state_dict({**network.state_dict(), **tensors})
    return model.eval()


def share_right(cut: Cut, examples: Sequence[Example], odds: Sequence[Sequence[float]]) -> float:
    """The share of examples that are segmented correctly, given the network's log odds."""
    right = sum(
        cut(example.hashtag, row) == flags(example.hashtag, example.ends)
        for example, row in zip(examples, odds, strict=True)
    )
    return right / len(examples)


def spreads(features: Tensor) -> Tensor:
    """The standard deviation of each feature over candidates [n, features]; 1 for a constant feature."""
    spread = features.std(dim=0, correction=0)
    spread[spread == 0] = 1.0
    return spread


def _most_likely(described: Sequence[Tensor], right: Sequence[int], penalty: float) -> Tensor:
    """Weights of the features [candidates, features] of each hashtag; a convex problem, solved by L-BFGS."""
    group = torch.tensor([index for index, row in enumerate(described) for _ in row])
    starts = torch.tensor([0, *accumulate(len(row) for row in described)])[:-1]
    features = torch.cat(list(described)).double()
    spread = spreads(features)
    features = features / spread
    gold = features[starts + torch.tensor(right)]
    weights = torch.zeros(features.shape[1], dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        scores = features @ weights
        highest = torch.zeros(len(described), dtype=torch.double).scatter_reduce(
            0, group, scores.detach(), "amax", include_self=False
        )
        sums = torch.zeros_like(highest).index_add(0, group, (scores - highest[group]).exp())
        value = (highest + sums.log() - gold @ weights).mean() + penalty * (weights @ weights)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return (weights / spread).detach()
