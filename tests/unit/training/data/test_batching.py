"""Batches of like length: each item once, and the same for the same seed."""

import random

import pytest

from training.data.batching import chunks, length_batches

WORDS = ["a" * length for length in (3, 1, 2, 1, 3, 2, 1, 1)]


def test_without_chance_the_shortest_come_first() -> None:
    lengths = [[len(word) for word in batch] for batch in length_batches(WORDS, 3, len)]
    assert [[1, 1, 1], [1, 2, 2], [3, 3]] == lengths


@pytest.mark.parametrize("pool", [None, 1, 2, 50])
def test_every_item_is_in_one_batch_and_a_seed_gives_the_same_ones(pool: int | None) -> None:
    items = [(index, "a" * (index % 7)) for index in range(40)]
    once, twice = (
        length_batches(items, 4, lambda item: len(item[1]), random.Random(1), pool) for _ in range(2)
    )
    assert once == twice
    assert items == sorted(item for batch in once for item in batch)
    assert {4} == {len(batch) for batch in once}


def test_a_pool_is_cut_by_length_on_its_own() -> None:
    """Out of all items, each batch has one length; out of pools of one batch, they are as they come."""
    items = [length for length in (1, 2, 3, 4) for _ in range(8)]
    spread = [
        sum(len(set(batch)) for batch in length_batches(items, 8, int, random.Random(3), pool))
        for pool in (None, 1)
    ]
    assert 4 == spread[0] < spread[1]


def test_chunks_keep_the_order_and_the_rest() -> None:
    assert [[1, 2], [3, 4], [5]] == chunks([1, 2, 3, 4, 5], 2)
    assert [] == chunks([], 2)
