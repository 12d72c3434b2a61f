"""Which words and characters a model has embeddings of, and tables of characters laid out for another vocabulary."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from models.core.visual_context import noun_of
from models.layers.characters import CharacterCNN, CharacterEncoder
from models.text.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from training.data.datasets import Sample

LEAST_WORDS, LEAST_CHARACTERS = 2, 5
"""Times that a word and a character must occur in training to have an embedding of their own."""


def vocabularies(samples: Sequence[Sample]) -> tuple[Vocabulary, Vocabulary]:
    """Words and characters that occur often enough in training."""
    characters = Vocabulary.of((c for s in samples for token in s.tokens for c in token), LEAST_CHARACTERS)
    words = Vocabulary.of((word for sample in samples for word in _words(sample)), LEAST_WORDS)
    return words, characters


def _words(sample: Sample) -> Iterator[str]:
    """All that is read of a sample by the words' vocabulary, the names of its image's regions too."""
    yield from (word.lower() for word in sample.tokens + sample.image_words)
    yield from (noun_of(name) for name in (sample.pixels.words if sample.pixels else ()))


def known_by_any(*vocabularies: Vocabulary) -> Vocabulary:
    """What any of them knows, in the order of the first."""
    return Vocabulary(tuple(dict.fromkeys(entry for each in vocabularies for entry in each.entries)))


def relaid(
    weights: Mapping[str, Tensor], model: nn.Module, before: Vocabulary, after: Vocabulary
) -> dict[str, Tensor]:
    """`weights` of `model` by name, with its tables of characters laid out for `after` where they were for `before`.

    What `before` did not know has the row of the unknown, so that the same function is computed.
    """
    old = {entry: place for place, entry in enumerate(before.entries, start=SPECIAL)}
    rows = torch.tensor([*range(SPECIAL), *(old.get(entry, UNKNOWN) for entry in after.entries)])
    tables = {
        f"{name}.embed.weight"
        for name, module in model.named_modules()
        if isinstance(module, CharacterEncoder | CharacterCNN)
    }
    return {name: weight[rows] if name in tables else weight for name, weight in weights.items()}
