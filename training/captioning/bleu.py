"""BLEU-4 of captions, as everybody counts it."""

from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.bleu import BLEU

from training.captioning.flickr8k import Photo


def bleu4(captions: Sequence[Sequence[str]], photos: Sequence[Photo]) -> dict[str, Any]:
    """Corpus BLEU-4 (0-100) of one caption per photograph against all of the photograph's own, and its parts."""
    metric = BLEU(tokenize="none", force=True)  # force: the tokens are given, so no warning that they look so
    most = max(len(photo.captions) for photo in photos)
    references = [
        [" ".join(p.captions[place]) if place < len(p.captions) else None for p in photos]
        for place in range(most)
    ]
    score = metric.corpus_score([" ".join(caption) for caption in captions], references)  # type: ignore[arg-type]  # None is "no such reference"
    return {
        "bleu4": score.score,
        "precisions": score.precisions,
        "brevity_penalty": score.bp,
        "signature": str(metric.get_signature()),
    }
