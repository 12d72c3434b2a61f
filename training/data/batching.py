"""From samples to batches: encoding, unlabelled types, batches of similar length."""

import random
from collections.abc import Callable, Collection, Iterator, Sequence

import torch
from torch import Tensor

from models.core.batch import Encoded
from models.text.post_encoder import PostEncoder
from models.text.tokenizer import hashtags_in
from models.text.windows import windows
from training.data.datasets import Sample

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


def batches(examples: Sequence[Encoded], size: int, shuffle: random.Random) -> Iterator[list[Encoded]]:
    """Batches of similar length: shuffled, sorted by length within pools of 50 batches, and shuffled again."""
    order = list(range(len(examples)))
    shuffle.shuffle(order)
    pools = (order[start : start + 50 * size] for start in range(0, len(order), 50 * size))
    groups = [group for pool in pools for group in _by_length(examples, pool, size)]
    shuffle.shuffle(groups)
    for group in groups:
        yield [examples[index] for index in group]


def by_length(examples: Sequence[Encoded], size: int) -> list[list[int]]:
    """Indices of all examples in groups of similar length, shortest first."""
    return _by_length(examples, range(len(examples)), size)


def _by_length(examples: Sequence[Encoded], chosen: Sequence[int], size: int) -> list[list[int]]:
    order = sorted(chosen, key=lambda index: max(examples[index].rows))
    return [order[start : start + size] for start in range(0, len(order), size)]
