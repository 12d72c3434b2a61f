"""Which words there are and how frequent: the prior that hashtag segmentation weighs its network against.

A list of words with log probabilities, kept as tensors so that it travels inside a checkpoint, and the best
cut of a text by network and words together. Where the words come from is training/lexicon.py's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor


@dataclass(frozen=True)
class LexiconConfig:
    """Sizes of the stored list (0 words: no lexicon) and what it counts for, chosen on held-out hashtags.

    weight: of a word's log probability against the network's log odds. An unknown word of n characters has
    the log probability -(unknown + unknown_per_char * n).
    """

    words: int = 0
    size: int = 0
    weight: float = 0.0
    unknown: float = 12.0
    unknown_per_char: float = 1.2


class Lexicon:
    """Words, lower case, with natural-log probabilities."""

    def __init__(self, words: Mapping[str, float], config: LexiconConfig) -> None:
        self.words, self.config = words, config

    def cut(self, text: str, odds: Sequence[float]) -> list[bool]:
        """For each character, whether a space follows it, in the best of all segmentations.

        odds: the network's log odds of a space after each character. A segmentation's score is the sum of the
        odds where it has spaces, plus `weight` times the log probabilities of its words. Quadratic in the
        text's length.
        """
        folded = "".join(char.lower()[0] for char in text)
        scores, weight = self.words.get, self.config.weight
        unknown, per_char = -self.config.unknown, -self.config.unknown_per_char
        best, starts = [0.0], [0]
        for end in range(1, len(text) + 1):  # plain loops: this is what segmenting a hashtag costs
            top, top_start = -inf, 0
            for start in range(end):
                known = scores(folded[start:end])
                value = unknown + per_char * (end - start) if known is None else known
                value = best[start] + weight * value
                if value > top:
                    top, top_start = value, start
            best.append(top + odds[end - 1])
            starts.append(top_start)
        spaces = [False] * len(text)
        start = starts[len(text)]
        while start > 0:
            spaces[start - 1] = True
            start = starts[start]
        return spaces


def pack(words: Mapping[str, float]) -> tuple[Tensor, Tensor]:
    """The words as bytes, uint8 [size], and their log probabilities, float16 [words]."""
    text = " ".join(words).encode()
    return torch.tensor(list(text), dtype=torch.uint8), torch.tensor(
        list(words.values()), dtype=torch.float16
    )


def unpack(text: Tensor, scores: Tensor) -> dict[str, float]:
    """The inverse of `pack`, on whatever device and in whatever precision the tensors are by now."""
    words = bytes(text.to("cpu", torch.uint8).tolist()).decode().split()
    return dict(zip(words, scores.to("cpu", torch.float32).tolist(), strict=True))
