"""Trains the hashtag segmenter (models/hashtags/segmenter.py), section IV-D of TriMod: cross-entropy per character.

Three stages. The network learns from made-up and machine-segmented hashtags, its character table starting from
skip-gram vectors (section IV-C). It is then tuned on stan_large.train, once per fold without that fold and once on all.
With the log odds that the fold's network gives to hashtags it has not seen, the lexicon's weights are fitted
(training/hashtags/lexicon.py) and the ranker trained (training/hashtags/ranker.py), and the whole is cross-validated.

`train_segmenter` writes `segmenter.safetensors` (fp16) and `segmenter.json` (configuration, recipe, measured
figures). The dev files are read once, at the end, to measure. An interrupted run goes on from its last whole
epoch or fold (`resume`), to the very weights that it would have had.
"""

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
