"""Which words there are, how frequent, which follow one another: what hashtag segmentation weighs its network against.

Words and pairs of words with their frequencies, kept as tensors so that they travel inside a checkpoint, and the
best segmentation of a text by a log-linear model of the network, the words and the text's case. Where the words
come from, and how the model's weights are fitted, is training/lexicon.py's business.

Two lists of words are kept apart, general English and the web's, as the web also has brand and site names that are
one word there, and phrases that only addresses run together: a word that only one of them has counts differently.

A segmentation's score is the sum of a score of each word, of each space, and of each pair of neighbouring words
(a semi-Markov model); `FEATURES` names what those are sums of.
"""

import gc
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from models.spelling import Spelling

# fmt: off
FEATURES = (
    "words",  # 1 for each word
    "length", "length_long",  # of known words: characters, those beyond LONG
    "log_probability", "rare", "rarer", "rarest",  # of known words; how far it is below RARE, RARER, RAREST
    "general", "web",  # log probability in each list, 0 where it lacks the word
    "general_only", "web_only",  # words that only one list has
    "known_1", "known_2", "known_3",  # known words so short, `a` and `i` aside
    "unknown", "unknown_1", "unknown_2", "unknown_3",  # unknown words, and so short
    "unknown_length", "unknown_long", "unknown_longer",  # their characters, those beyond LONG, LONGER
    "unknown_consonants", "unknown_spelling",  # of letters, no vowel; log probability (models/spelling.py)
    "number", "number_2", "number_4", "mixed",  # digits only; of two, of four; digits and others
    "pair", "pair_information",  # in the web's list of pairs; how much more frequent than by chance
    "pair_probability",  # its log probability
    "pair_or_word", "pair_over_word",  # a pair that is a word, too; log of how much more frequent it is as a pair
    "word_not_pair", "word_not_pair_general", "word_not_pair_web",  # no listed pair, but a word; of that word
    "pair_posts",  # how often a pair of words is in posts, log(1 + count)
    "network",  # log odds of a space, summed over the spaces
    "case_lU", "case_Ul", "case_UU", "case_UUl", "case_ll", "case_camel",  # spaces between cases: `_between`
    "letter_digit", "digit_letter", "digit_digit",  # spaces at digits
    "whole", "whole_length", "whole_known",  # no space at all; its characters; 1 if it is a known word
)
# fmt: on
RARE, RARER, RAREST = -11.0, -14.0, -17.0
LONG, LONGER = 6, 10
VOWELS = frozenset("aeiouy")
LONGEST = 24  # characters of a word, except that the whole text may be one
BEAM = 8


class Word(NamedTuple):
    """Natural-log probability of a word in general English and on the web; 0.0 where the list lacks it."""

    general: float
    web: float

    @property
    def probability(self) -> float:
        """Of the mean of both lists."""
        return math.log(sum(math.exp(value) for value in self if value) / len(self))


class Pair(NamedTuple):
    """Of two successive words: pointwise mutual information on the web (0: not listed), log(1 + count) in posts."""

    information: float = 0.0
    posts: float = 0.0


NO_PAIR = Pair()
NOTHING: Mapping[str, Pair] = {}
Step = tuple[float, int, int]
"""A segmentation of a text's head: its score, where its last word starts, its place in the beam there."""


@dataclass(frozen=True)
class LexiconConfig:
    """Sizes of the stored lists (no words: no lexicon) and the weights of `FEATURES`; what has none counts 0.

    words, pairs: how many are stored; size: bytes of the words' text. sources: log probabilities per word, as in
    `Word`.
    """

    words: int = 0
    size: int = 0
    pairs: int = 0
    sources: int = 2
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(FEATURES))
        if unknown:
            raise ValueError(f"the lexicon has no features {unknown}: it was stored by another version")
        if self.sources != len(Word._fields):
            raise ValueError(
                f"the lexicon has {self.sources} log probabilities per word: it was stored by another version"
            )


class Lexicon:
    """Words, lower case; pairs of them."""

    def __init__(
        self, words: Mapping[str, Word], pairs: Mapping[tuple[str, str], Pair], config: LexiconConfig
    ) -> None:
        self.words, self.config = words, config
        self.probabilities = {word: found.probability for word, found in words.items()}
        self._weights = {name: config.weights.get(name, 0.0) for name in FEATURES}
        self._before: dict[str, dict[str, Pair]] = {}  # second word -> first word
        for (first, second), pair in pairs.items():
            self._before.setdefault(second, {})[first] = pair
        self._spelling = Spelling(self.probabilities)
        self._known: dict[str, float] = {}  # scores of the words met so far
        self._pairs: dict[tuple[str, str], float] = {}  # and of pairs of words
        blank = [self.score(word_features("_" * size)) for size in range(LONGEST + 1)]
        self._unknown = blank  # scores of unknown words of letters, without what their letters add

    def cut(self, text: str, odds: Sequence[float]) -> list[bool]:
        """For each character, whether a space follows it, in the best segmentation.

        odds: the network's log odds of a space after each character.
        """
        return flags(text, self.best(text, odds, 1)[0] if text else ())

    def best(self, text: str, odds: Sequence[float], count: int) -> list[list[int]]:
        """The best segmentations of a non-empty text, best first: the ends of all their words but the last.

        A beam search: only the `count` or, if that is more, BEAM best with a word's end at a place are pursued.
        Time is linear in the text's length beyond LONGEST characters.
        """
        length, keep, folded = len(text), max(BEAM, count), fold(text)
        spaces = [0.0, *self._space_scores(text, odds)]
        words = [self._word_scores(folded[start : start + LONGEST]) for start in range(length)]
        beams: list[list[Step]] = [[(0.0, 0, 0)]]
        for end in range(1, length + 1):  # plain loops: this is what segmenting a hashtag costs
            wholes = self._words_to(folded, end)
            found: list[Step] = []
            for start in range(max(0, end - LONGEST), end):
                value = words[start][end - start - 1] + spaces[start]
                before = self._before.get(folded[start:end], NOTHING)
                if count == 1 and not before and not (wholes and wholes[0] < start):
                    # no pair: the best before is the best
                    found.append((beams[start][0][0] + value, start, 0))
                    continue
                steps = self._steps(folded, beams[start], (start, end), before, value)
                found += steps if count > 1 else [max(steps)]  # of those with one last word, the best will do
            if end == length:
                found = [*(each for each in found if each[1]), (self._whole_score(folded), 0, 0)]
            found.sort(reverse=True)
            beams.append(found[:keep])
        return [_ends(beams, rank) for rank in range(min(count, len(beams[length])))]

    def _words_to(self, folded: str, end: int) -> list[int]:
        """Where the known words start that end there, the longest first."""
        return [
            start for start in range(max(0, end - 2 * LONGEST), end - 1) if folded[start:end] in self.words
        ]

    def _steps(
        self,
        folded: str,
        beam: Sequence[Step],
        span: tuple[int, int],
        before: Mapping[str, Pair],
        value: float,
    ) -> list[Step]:
        """What is in the beam where the span starts, each with its word more, whose score alone is `value`."""
        start, end = span
        steps = []
        for rank, (score, last, _) in enumerate(beam):
            total = score + value
            first = folded[last:start]
            if start and (first in before or folded[last:end] in self.words):
                total += self._pair_score(first, folded[start:end], before.get(first))
            steps.append((total, start, rank))
        return steps

    def features(self, text: str, ends: Sequence[int], odds: Sequence[float]) -> dict[str, float]:
        """What the weights multiply in the score of a segmentation, which is given as by `best`."""
        folded, names = fold(text), space_features(text)
        words = [folded[start:end] for start, end in pairwise((0, *ends, len(text)))]
        total: Counter[str] = Counter()
        for word in words:
            for name, value in self._word_features(word).items():
                total[name] += value  # type: ignore[assignment]
        for end in ends:
            total["network"] += odds[end - 1]  # type: ignore[assignment]
            total[names[end - 1]] += 1
        for first, second in pairwise(words):
            pair = self._before.get(second, NOTHING).get(first, NO_PAIR)
            for name, value in self._pair_features(first, second, pair).items():
                total[name] += value  # type: ignore[assignment]
        return {**total, **(whole_features(folded, folded in self.words) if len(words) == 1 else {})}

    def _word_features(self, word: str) -> dict[str, float]:
        found = word_features(word, self.words.get(word), self.probabilities.get(word, 0.0))
        if "unknown" in found and word.isalpha():
            found["unknown_consonants"] = float(VOWELS.isdisjoint(word))
            found["unknown_spelling"] = self._spelling.log_probability(word)
        return found

    def _word_scores(self, text: str) -> list[float]:
        """Of every word that `text` begins with, by length."""
        spelling = self._spelling.prefixes(text)
        return [self._word_score(text[:size], spelling[size - 1]) for size in range(1, len(text) + 1)]

    def _word_score(self, word: str, spelling: float) -> float:
        score = self._known.get(word)
        if score is not None:
            return score
        if word in self.words:
            score = self._known[word] = self.score(self._word_features(word))
            return score
        if not word.isalpha():
            return self.score(self._word_features(word))
        score = self._unknown[len(word)] + self._weights["unknown_spelling"] * spelling
        return score + self._weights["unknown_consonants"] if VOWELS.isdisjoint(word) else score

    def _pair_score(self, first: str, second: str, pair: Pair | None) -> float:
        # an unlisted pair's features are those of both as one
        key = (first, second) if pair else (first + second, "")
        score = self._pairs.get(key)
        if score is None:
            score = self._pairs[key] = self.score(self._pair_features(first, second, pair or NO_PAIR))
        return score

    def _pair_features(self, first: str, second: str, pair: Pair) -> dict[str, float]:
        """Of two neighbouring words."""
        both = self.words.get(first + second)
        found = {"pair_posts": pair.posts}
        if pair.information:
            value = pair.information + self.probabilities[first] + self.probabilities[second]
            found |= {"pair": 1.0, "pair_information": pair.information, "pair_probability": value}
            if both is not None:
                found |= {"pair_or_word": 1.0, "pair_over_word": value - self.probabilities[first + second]}
        elif both is not None:
            found |= {
                "word_not_pair": 1.0,
                "word_not_pair_general": both.general,
                "word_not_pair_web": both.web,
            }
        return found

    def _whole_score(self, folded: str) -> float:
        return self.score({**self._word_features(folded), **whole_features(folded, folded in self.words)})

    def _space_scores(self, text: str, odds: Sequence[float]) -> list[float]:
        """Of a space after each character but the last."""
        weights, network = self._weights, self._weights["network"]
        return [weights[name] + network * odd for name, odd in zip(space_features(text), odds, strict=False)]

    def score(self, features: Mapping[str, float]) -> float:
        """Of a segmentation, or of a part of one, with these features."""
        return sum(self._weights[name] * value for name, value in features.items())


def word_features(word: str, entry: Word | None = None, probability: float = 0.0) -> dict[str, float]:
    """Of one lower-case word; its entry, None if the lexicon lacks it, and that entry's probability. Without what its
    letters tell.
    """
    size = len(word)
    if entry is None:
        kind = "unknown"
        found = {"words": 1.0, kind: 1.0, "unknown_length": float(size)}
        found |= {"unknown_long": max(0.0, size - LONG), "unknown_longer": max(0.0, size - LONGER)}
    else:
        kind = "known"
        found = {"words": 1.0, "length": float(size), "length_long": max(0.0, size - LONG)}
        found |= {"log_probability": probability, "rare": max(0.0, RARE - probability)}
        found |= {"rarer": max(0.0, RARER - probability), "rarest": max(0.0, RAREST - probability)}
        found |= {"general": entry.general, "web": entry.web}
        found |= {"general_only": float(not entry.web), "web_only": float(not entry.general)}
    if size <= 3 and word not in ("", "a", "i"):
        found[f"{kind}_{size}"] = 1.0
    if word.isdigit():
        found["number"] = 1.0
        if size in (2, 4):
            found[f"number_{size}"] = 1.0
    elif any(char.isdigit() for char in word):
        found["mixed"] = 1.0
    return found


def whole_features(folded: str, known: bool) -> dict[str, float]:
    """Of a text without any space, beside those of the one word that it is."""
    return {"whole": 1.0, "whole_length": float(len(folded)), "whole_known": float(known)}


def space_features(text: str) -> list[str]:
    """For each character but the last, the name of the feature that a space after it has."""
    camel = any(left.islower() and right.isupper() for left, right in pairwise(text))
    return [_between(text[i], text[i + 1], text[i + 2 : i + 3], camel) for i in range(len(text) - 1)]


def _between(left: str, right: str, after: str, camel: bool) -> str:
    """Lower (l) or upper (U) case around a space: foo|Bar, FOO|bar, FOO|BAR, FOO|Bar, foo|bar, fooBar|baz."""
    if left.isdigit():
        return "digit_digit" if right.isdigit() else "digit_letter"
    if right.isdigit():
        return "letter_digit"
    if right.isupper():
        if not left.isupper():
            return "case_lU"
        return "case_UUl" if after.islower() else "case_UU"
    if left.isupper():
        return "case_Ul"
    return "case_camel" if camel else "case_ll"


def _ends(beams: Sequence[Sequence[Step]], rank: int) -> list[int]:
    """The starts of all words but the first, followed back from an entry of the last beam."""
    ends: list[int] = []
    _, start, rank = beams[-1][rank]
    while start:
        ends.append(start)
        _, start, rank = beams[start][rank]
    return ends[::-1]


def flags(text: str, ends: Iterable[int]) -> list[bool]:
    """For each character, whether a word but the last ends there."""
    spaces = [False] * len(text)
    for end in ends:
        spaces[end - 1] = True
    return spaces


def rows(described: Iterable[Mapping[str, float]]) -> Tensor:
    """Features by name as [n, features], in the order of FEATURES."""
    return torch.tensor([[each.get(name, 0.0) for name in FEATURES] for each in described])


def fold(text: str) -> str:
    """Lower case, character by character: the lower case of some is two characters."""
    return "".join(char.lower()[0] for char in text)


def pack(words: Mapping[str, Word], pairs: Mapping[tuple[str, str], Pair]) -> dict[str, Tensor]:
    """As tensors: the words' bytes (uint8) and log probabilities (float16 [words, 2]), the pairs' two word numbers
    (int32 [pairs, 2]) and what is known of them (float16 [pairs, 2]). Pairs must be of listed words.
    """
    number = {word: index for index, word in enumerate(words)}
    numbers = [(number[first], number[second]) for first, second in pairs]
    return {
        "text": torch.tensor(list(" ".join(words).encode()), dtype=torch.uint8),
        "scores": torch.tensor(list(words.values()), dtype=torch.float16).reshape(-1, 2),
        "pairs": torch.tensor(numbers, dtype=torch.int32).reshape(-1, 2),
        "pair_scores": torch.tensor(list(pairs.values()), dtype=torch.float16).reshape(-1, 2),
    }


def empty(config: LexiconConfig) -> dict[str, Tensor]:
    """Zeros of the kinds and sizes of what `pack` gives; no pairs are stored if there are none."""
    tensors = {
        "text": torch.zeros(config.size, dtype=torch.uint8),
        "scores": torch.zeros(config.words, config.sources, dtype=torch.float16),
    }
    if config.pairs:
        tensors["pairs"] = torch.zeros(config.pairs, 2, dtype=torch.int32)
        tensors["pair_scores"] = torch.zeros(config.pairs, 2, dtype=torch.float16)
    return tensors


@contextmanager
def no_collection() -> Iterator[None]:
    """While a large lexicon is built: Python's cyclic garbage collector would look through its million small objects
    again and again, for two thirds of the time, and none are garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def unpack(packed: Mapping[str, Tensor]) -> tuple[dict[str, Word], dict[tuple[str, str], Pair]]:
    """The inverse of `pack`, on whatever device and in whatever precision the tensors are by now."""
    words = packed["text"].to("cpu", torch.uint8).numpy().tobytes().decode().split()
    pairs = {}
    if "pairs" in packed:
        known = packed["pair_scores"].to("cpu", torch.float32).tolist()
        for (first, second), values in zip(packed["pairs"].tolist(), known, strict=True):
            pairs[words[first], words[second]] = Pair._make(values)
    scores = packed["scores"].to("cpu", torch.float32)
    return dict(zip(words, map(Word._make, scores.tolist()), strict=True)), pairs
