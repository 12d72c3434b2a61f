"""The segmenter's lexicon: unigram frequencies of words, from the corpora that the network learns from.

Frequencies in posts, captions (counted less: few words, often) and segmented training hashtags, interpolated
with the order of the text encoder's vocabulary read as a Zipf law. `fit` adds it to a trained network and
chooses its weight on hashtags that people segmented: made-up ones have no unknown words, and would have it
trusted too much.
"""

import itertools
import math
from collections import Counter
from dataclasses import replace

from models.lexicon import Lexicon, LexiconConfig, pack, unpack
from models.segmenter import Segmenter
from training.hashtags import Corpus, Example

CAPTION_SHARE, DISTANT_SHARE, DISTANT_LEAST, VOCABULARY_SHARE, ZIPF_SHIFT = 0.3, 0.5, 3, 0.4, 20
WEIGHTS = (0.2, 0.35, 0.5, 0.65)
UNKNOWN = (3.0, 6.0, 9.0)
UNKNOWN_PER_CHAR = (2.0, 2.8, 3.6)


def word_log_probabilities(corpus: Corpus, manual: list[Example], distant: list[Example]) -> dict[str, float]:
    """Log probability of every word, lower case; of machine-made hashtags only words seen repeatedly."""
    counts: Counter[str] = Counter(word.lower() for phrase in corpus.posts for word in phrase)
    counts.update(word.lower() for example in manual for word in example.words)
    shares: dict[str, float] = dict(counts)
    for word, count in Counter(word.lower() for phrase in corpus.captions for word in phrase).items():
        shares[word] = shares.get(word, 0.0) + CAPTION_SHARE * count
    for word, count in Counter(word.lower() for example in distant for word in example.words).items():
        if count >= DISTANT_LEAST:
            shares[word] = shares.get(word, 0.0) + DISTANT_SHARE * count
    total = sum(shares.values())
    zipf = [1 / (rank + ZIPF_SHIFT) for rank in range(len(corpus.vocabulary))]
    scale = VOCABULARY_SHARE / sum(zipf)
    probabilities = {word: (1 - VOCABULARY_SHARE) * share / total for word, share in shares.items()}
    for word, share in zip(corpus.vocabulary, zipf, strict=True):
        probabilities[word] = probabilities.get(word, 0.0) + scale * share
    return {word: math.log(probabilities[word]) for word in sorted(probabilities)}


def fit(network: Segmenter, words: dict[str, float], held_out: dict[str, list[Example]]) -> Segmenter:
    """`network` with the lexicon, weighed as is best, on average, on the held-out sets."""
    odds = {name: network.odds([example.hashtag for example in rows]) for name, rows in held_out.items()}
    text, scores = pack(words)

    def held_out_score(config: LexiconConfig) -> float:
        lexicon = Lexicon(unpack(text, scores), config)
        return sum(_share_right(lexicon, held_out[name], odds[name]) for name in held_out)

    grid = itertools.product(WEIGHTS, UNKNOWN, UNKNOWN_PER_CHAR)
    best = max((LexiconConfig(len(words), len(text), *values) for values in grid), key=held_out_score)
    model = Segmenter(replace(network.config, lexicon=best))
    model.load_state_dict({**network.state_dict(), "lexicon_text": text, "lexicon_scores": scores})
    return model.eval()


def _share_right(lexicon: Lexicon, examples: list[Example], odds: list[list[float]]) -> float:
    right = sum(
        lexicon.cut(example.hashtag, row) == [space == 1 for space in example.spaces()]
        for example, row in zip(examples, odds, strict=True)
    )
    return right / len(examples)
