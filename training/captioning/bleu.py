"""BLEU-4 of captions, computed with sacrebleu."""

from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.bleu import BLEU

from training.captioning.flickr8k import Photo


def bleu4(captions: Sequence[Sequence[str]], photos: Sequence[Photo]) -> dict[str, Any]:
    """Corpus BLEU-4 (0-100) and its parts, of one caption per photograph against all reference captions."""
    metric = BLEU(tokenize="none", force=True)  # force: no warning that the text looks tokenized
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
