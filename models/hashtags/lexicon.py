"""The lexicon of hashtag segmentation: words and word pairs with frequencies, combined with the network's output.

Words and pairs are stored as tensors, so that they are part of a checkpoint. The best segmentation of a text is found
by a log-linear model of the network, the words and the text's case. training/hashtags/lexicon.py collects the words and
fits the model's weights.

Two word lists are kept separately, general English and the web. The web also has brand and site names as single words,
and phrases that only addresses run together. A word that is in only one list therefore counts differently.

A segmentation's score is the sum of the scores of its words, spaces and pairs of neighbouring words (a semi-Markov
model). Each score is a weighted sum of `FEATURES`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from models.hashtags.letter_trigrams import Spelling
from models.hashtags.lexicon_features import (
    FEATURES,
    NO_PAIR,
    VOWELS,
    Pair,
    Word,
    space_features,
    whole_features,
    word_features,
)

LONGEST = 24  # characters of a word, except that the whole text may be one
BEAM = 8
NOTHING: Mapping[str, Pair] = {}
Step = tuple[float, int, int]
"""A segmentation of a text's prefix: its score, the start of its last word, and the rank in the beam there."""


@dataclass(frozen=True)
class LexiconConfig:
    """Sizes of the stored lists (no words: no lexicon) and the weights of `FEATURES`; a missing weight is 0.

    words, pairs: numbers stored; size: bytes of the words' text. sources: log probabilities per word, as in
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
            raise ValueError(f"lexicon: unknown features {unknown}; it was stored by another version")
        if self.sources != len(Word._fields):
            raise ValueError(
                f"lexicon: {self.sources} log probabilities per word; it was stored by another version"
            )


class Lexicon:
    """Lower-case words, and pairs of them."""

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
        self._known: dict[str, float] = {}  # scores of words seen so far
        self._pairs: dict[tuple[str, str], float] = {}  # and of word pairs
        blank = [self.score(word_features("_" * size)) for size in range(LONGEST + 1)]
        self._unknown = blank  # scores of unknown words of letters, without their spelling score

    def cut(self, text: str, odds: Sequence[float]) -> list[bool]:
        """For each character, whether a space follows it, in the best segmentation.

        odds: the network's log odds of a space after each character.
        """
        return flags(text, self.best(text, odds, 1)[0] if text else ())

    def best(self, text: str, odds: Sequence[float], count: int) -> list[list[int]]:
        """The best segmentations of a non-empty text, best first, as the ends of all words but the last.

        A beam search: at each word end, the best max(`count`, BEAM) segmentations are kept.
        Time is linear in the text's length beyond LONGEST characters.
        """
        length, keep, folded = len(text), max(BEAM, count), fold(text)
        spaces = [0.0, *self._space_scores(text, odds)]
        words = [self._word_scores(folded[start : start + LONGEST]) for start in range(length)]
        beams: list[list[Step]] = [[(0.0, 0, 0)]]
        for end in range(1, length + 1):  # plain loops: this is the hot loop of segmentation
            wholes = self._words_to(folded, end)
            found: list[Step] = []
            for start in range(max(0, end - LONGEST), end):
                value = words[start][end - start - 1] + spaces[start]
                before = self._before.get(folded[start:end], NOTHING)
                if count == 1 and not before and not (wholes and wholes[0] < start):
                    # without a pair, the best predecessor is the best
                    found.append((beams[start][0][0] + value, start, 0))
                    continue
                steps = self._steps(folded, beams[start], (start, end), before, value)
                found += steps if count > 1 else [max(steps)]  # for each last word, only the best is needed
            if end == length:
                found = [*(each for each in found if each[1]), (self._whole_score(folded), 0, 0)]
            found.sort(reverse=True)
            beams.append(found[:keep])
        return [_ends(beams, rank) for rank in range(min(count, len(beams[length])))]

    def _words_to(self, folded: str, end: int) -> list[int]:
        """The starts of the known words that end at `end`, longest first."""
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
        """The beam entries at the start of the span, each extended by its word, whose own score is `value`."""
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
        """The features (before weighting) of a segmentation in the form that `best` returns."""
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
        """The score of every prefix of `text` as a word, by length."""
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
        # the features of an unlisted pair are those of the joined word
        key = (first, second) if pair else (first + second, "")
        score = self._pairs.get(key)
        if score is None:
            score = self._pairs[key] = self.score(self._pair_features(first, second, pair or NO_PAIR))
        return score

    def _pair_features(self, first: str, second: str, pair: Pair) -> dict[str, float]:
        """The features of two neighbouring words."""
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
        """The score of a space after each character but the last."""
        weights, network = self._weights, self._weights["network"]
        return [weights[name] + network * odd for name, odd in zip(space_features(text), odds, strict=False)]

    def score(self, features: Mapping[str, float]) -> float:
        """The score of a segmentation, or of a part of one, with these features."""
        return sum(self._weights[name] * value for name, value in features.items())


def _ends(beams: Sequence[Sequence[Step]], rank: int) -> list[int]:
    """The starts of all words but the first, by backtracking from an entry of the last beam."""
    ends: list[int] = []
    _, start, rank = beams[-1][rank]
    while start:
        ends.append(start)
        _, start, rank = beams[start][rank]
    return ends[::-1]


def flags(text: str, ends: Iterable[int]) -> list[bool]:
    """For each character, whether a word ends there, except the last word."""
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
