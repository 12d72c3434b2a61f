"""Scores how much a string of letters looks like a word, by letter trigrams of a word list.

Used by hashtag segmentation (models/hashtags/lexicon.py) to tell unknown names from words that were run together. It is
computed when the list is read and not stored. Smoothing is a constant.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

BOUNDARY, OTHER, KINDS = 0, 27, 28  # a to z are 1 to 26
SMOOTHING = 1e-7


class Spelling:
    """P(letter | previous two letters); a word is weighted by the square root of its probability."""

    def __init__(self, words: Mapping[str, float]) -> None:
        text = " " + "".join(f"{word} " for word in words)
        kinds = _kinds(torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8))
        ends = kinds == BOUNDARY
        weights = torch.tensor(list(words.values())).div(2).exp()
        weight = torch.cat([weights, torch.zeros(1)])[(ends.cumsum(0) - 1)]  # of the word around a byte
        inner = ~ends[1:-1]  # trigrams whose middle is in a word; the outer two may be boundaries
        codes = (kinds[:-2] * KINDS + kinds[1:-1]) * KINDS + kinds[2:]
        counts = (
            torch.bincount(codes[inner], weight[1:-1][inner], KINDS**3).reshape(KINDS, KINDS, KINDS)
            + SMOOTHING
        )
        first = counts[BOUNDARY].sum(1)
        self._next: list[list[list[float]]] = (counts / counts.sum(2, keepdim=True)).log().tolist()
        self._first: list[float] = (first / first.sum()).log().tolist()

    def log_probability(self, word: str) -> float:
        """Natural log probability of a lower-case word's letters; 0 for no letters."""
        return self.prefixes(word)[-1] if word else 0.0

    def prefixes(self, text: str) -> list[float]:
        """The log probability of every word that `text` begins with, by length."""
        totals: list[float] = []
        total, before, last = 0.0, BOUNDARY, BOUNDARY
        for char in text:
            kind = _kind(char)
            total += self._next[before][last][kind] if totals else self._first[kind]
            before, last = last, kind
            totals.append(total + self._next[before][last][BOUNDARY])
        return totals


def _kind(char: str) -> int:
    return ord(char) - 96 if "a" <= char <= "z" else OTHER


def _kinds(codes: Tensor) -> Tensor:
    letters = codes.long() - 96
    letters = torch.where((letters >= 1) & (letters <= 26), letters, OTHER)
    return torch.where(codes == ord(" "), BOUNDARY, letters)
