"""Converts the lexicon's words, pairs and counts to tensors and back."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from models.hashtags.lexicon import LexiconConfig
from models.hashtags.lexicon_features import Pair, Word


def pack(words: Mapping[str, Word], pairs: Mapping[tuple[str, str], Pair]) -> dict[str, Tensor]:
    """The lexicon as tensors: the words' bytes (uint8) and log probabilities (float16 [words, 2]), the pairs' two word
    numbers (int32 [pairs, 2]) and their features (float16 [pairs, 2]). Pairs must be of listed words.
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
    """Zeros with the types and sizes of `pack`'s result; without pairs, none are stored."""
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
    """Turns off Python's cyclic garbage collector while a large lexicon is built. It would repeatedly scan a million
    small objects, none of them garbage, for two thirds of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def unpack(packed: Mapping[str, Tensor]) -> tuple[dict[str, Word], dict[tuple[str, str], Pair]]:
    """The inverse of `pack`, for tensors on any device and in any precision."""
    words = packed["text"].to("cpu", torch.uint8).numpy().tobytes().decode().split()
    pairs = {}
    if "pairs" in packed:
        known = packed["pair_scores"].to("cpu", torch.float32).tolist()
        for (first, second), values in zip(packed["pairs"].tolist(), known, strict=True):
            pairs[words[first], words[second]] = Pair._make(values)
    scores = packed["scores"].to("cpu", torch.float32)
    return dict(zip(words, map(Word._make, scores.tolist()), strict=True)), pairs
