"""Trains the captioner (models/vision/captioner.py) on Flickr8k and measures BLEU-4 on photographs held back.

`train_captioner` writes `captioner.safetensors` (fp16) and `captioner.json` (configuration, recipe, measured
figures). Epochs are chosen by BLEU-4 on the 1,000 validation photographs, of the weights' running average; the
1,000 test photographs are read once, at the end, with the weights as they are written. An interrupted run goes on
from its last whole epoch.

BLEU-4 is sacrebleu's corpus BLEU (0-100) of one caption per photograph against its five: lower case, punctuation left
out on both sides, as COCO's caption evaluation has it (training/captioning/flickr8k.py `caption_words`), split at
spaces."""

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
