"""Exact match of segmentations, ours and wordninja's."""

import importlib.util
import math
from collections.abc import Sequence

from models.hashtags.segmenter import Segmenter
from training.hashtags.corpus import Example

DEV_FILES = ("stan_large.dev", "boun.dev", "stanford.dev")


def exact_match(model: Segmenter, examples: Sequence[Example]) -> float:
    """The share of hashtags that are cut exactly as they should be (case is never changed, so cannot
    differ).
    """
    predicted = model.segment([example.hashtag for example in examples])
    right = sum(got == " ".join(example.words) for got, example in zip(predicted, examples, strict=True))
    return right / len(examples)


def wordninja_exact_match(examples: Sequence[Example]) -> float:
    """The same of the wordninja package, by unigram frequencies; NaN where it is not installed."""
    if importlib.util.find_spec("wordninja") is None:
        return math.nan
    import wordninja

    right: int = sum(wordninja.split(example.hashtag) == list(example.words) for example in examples)
    return right / len(examples)
