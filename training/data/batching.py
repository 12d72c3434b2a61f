"""From samples to batches: encoding, unlabelled types, batches of similar length."""

import random
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from models.core.batch import Encoded
from models.text.post_encoder import PostEncoder
from models.text.tokenizer import hashtags_in
from models.text.windows import windows
from training.data.datasets import Sample

T = TypeVar("T")
Segment = Callable[[Sequence[str]], list[str]]
"""Maps hashtags without `#` to their words, joined by spaces."""


def hashtag_words(tokens: list[str], segment: Segment) -> list[str]:
    """The words of all hashtags among `tokens`."""
    return [word for words in segment(hashtags_in(tokens)) for word in words.split()]


def encode(sample: Sample, encoder: PostEncoder, segment: Segment, labels: Sequence[str]) -> Encoded:
    """One training example; for a sample longer than a window, only the first window (see `in_windows`)."""
    ids = encoder.token_ids(sample.tokens)
    kept = windows(ids)[0][1]
    encoded = encoder.encode(
        ids[:kept],
        sample.image_words,
        hashtag_words(sample.tokens, segment) if sample.hashtags else (),
        sample.pixels,
        tags=[labels.index(tag) for tag in sample.tags[:kept]],
    )
    encoded.other_image = sample.other_image
    if sample.unsaid:
        encoded.possible = possible_labels(sample.tags[:kept], sample.unsaid, labels)
    if sample.targets is not None:
        encoded.targets, encoded.teacher_share = sample.targets[:kept], sample.teacher_share
    return encoded


def possible_labels(tags: Sequence[str], unsaid: Collection[str], labels: Sequence[str]) -> Tensor:
    """[n, labels] bool: the labels that each token may have, if types in `unsaid` were tagged O."""
    hidden = torch.tensor([label == "O" or label[2:] in unsaid for label in labels])
    return torch.stack(
        [hidden if tag == "O" else torch.tensor([tag == label for label in labels]) for tag in tags]
    )


def length_batches(
    items: Sequence[T],
    size: int,
    length: Callable[[T], int],
    rng: random.Random | None = None,
    pool: int | None = None,
) -> list[Sequence[T]]:
    """All items in batches of about equal length: shortest first without `rng`, else in random order.

    rng: also determines which items of equal length share a batch. pool: make batches within random pools of this many
    items, so that they differ more between epochs; without it, make them from all items.
    """
    order = list(items)
    if rng and pool:
        rng.shuffle(order)

    def key(item: T) -> tuple[int, float]:
        # In a pool, the order is already random.
        return length(item), rng.random() if rng and not pool else 0.0

    found: list[Sequence[T]] = []
    for some in chunks(order, pool * size if pool else max(1, len(order))):
        found += chunks(sorted(some, key=key), size)
    if rng:
        rng.shuffle(found)
    return found


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in order, `size` at a time; the last chunk may be shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def rows_of(example: Encoded) -> int:
    """An example's length for `length_batches`: its longest row, because all are padded to the same length."""
    return max(example.rows)
