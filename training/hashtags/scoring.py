"""Exact match of our segmentations and of wordninja's."""

import importlib.util
import math
from collections.abc import Sequence

from models.hashtags.segmenter import Segmenter
from training.hashtags.corpus import Example

DEV_FILES = ("stan_large.dev", "boun.dev", "stanford.dev")


def exact_match(model: Segmenter, examples: Sequence[Example]) -> float:
    """The share of hashtags that are segmented exactly right (case is never changed, so it cannot differ)."""
    predicted = model.segment([example.hashtag for example in examples])
    right = sum(got == " ".join(example.words) for got, example in zip(predicted, examples, strict=True))
    return right / len(examples)


def wordninja_exact_match(examples: Sequence[Example]) -> float:
    """The same for the wordninja package, which uses unigram frequencies; NaN if it is not installed."""
    if importlib.util.find_spec("wordninja") is None:
        return math.nan
    import wordninja

    right: int = sum(wordninja.split(example.hashtag) == list(example.words) for example in examples)
    return right / len(examples)
