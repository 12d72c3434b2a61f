"""Character vectors: alike for characters in like places, the same for the same seed."""

import random

import torch
from torch.nn.functional import cosine_similarity

from training.hashtags.character_vectors import character_vectors

RNG = random.Random(3)
TEXTS = ["".join(RNG.choice("bc") + RNG.choice("ei") for _ in range(4)) for _ in range(1500)]


def test_like_places_give_like_vectors() -> None:
    """Here b and c are exchangeable, and e and i are; between the two kinds there is no likeness."""
    vectors = character_vectors(TEXTS, "bceiz", 8, seed=1)
    alike = cosine_similarity(vectors["b"], vectors["c"], dim=0)
    assert alike > cosine_similarity(vectors["b"], vectors["e"], dim=0)
    assert {"b", "c", "e", "i"} == set(vectors)  # z occurs nowhere


def test_repeatable_and_scaled() -> None:
    once, again = (character_vectors(TEXTS[:100], "bcei", 8, seed=1) for _ in range(2))
    assert all(torch.equal(once[char], again[char]) for char in "bcei")
    torch.testing.assert_close(torch.stack(list(once.values())).std(), torch.tensor(1.0))
