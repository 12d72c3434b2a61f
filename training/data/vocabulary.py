"""The words and characters that a model has embeddings of, and character tables moved to another vocabulary."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from models.core.visual_context import noun_of
from models.layers.characters import CharacterCNN, CharacterEncoder
from models.text.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from training.data.datasets import Sample

LEAST_WORDS, LEAST_CHARACTERS = 2, 5
"""Minimum counts in training of a word and of a character to get an embedding."""


def vocabularies(samples: Sequence[Sample]) -> tuple[Vocabulary, Vocabulary]:
    """Words and characters that occur often enough in training."""
    characters = Vocabulary.of((c for s in samples for token in s.tokens for c in token), LEAST_CHARACTERS)
    words = Vocabulary.of((word for sample in samples for word in _words(sample)), LEAST_WORDS)
    return words, characters


def _words(sample: Sample) -> Iterator[str]:
    """All words of a sample, including the names of its image's regions."""
    yield from (word.lower() for word in sample.tokens + sample.image_words)
    yield from (noun_of(name) for name in (sample.pixels.words if sample.pixels else ()))


def known_by_any(*vocabularies: Vocabulary) -> Vocabulary:
    """The entries of all vocabularies, in the order of the first."""
    return Vocabulary(tuple(dict.fromkeys(entry for each in vocabularies for entry in each.entries)))


def relaid(
    weights: Mapping[str, Tensor], model: nn.Module, before: Vocabulary, after: Vocabulary
) -> dict[str, Tensor]:
    """`weights` of `model` by name, with its character tables rearranged from vocabulary `before` to `after`.

    Entries that `before` lacks get the row of unknown entries, so that the same function is computed.
    """
    old = {entry: place for place, entry in enumerate(before.entries, start=SPECIAL)}
    rows = torch.tensor([*range(SPECIAL), *(old.get(entry, UNKNOWN) for entry in after.entries)])
    tables = {
        f"{name}.embed.weight"
        for name, module in model.named_modules()
        if isinstance(module, CharacterEncoder | CharacterCNN)
    }
    return {name: weight[rows] if name in tables else weight for name, weight in weights.items()}
