"""A tagger on labelled posts: its mentions, their scores, and the modality weights.

Uses `Tagger` as it is served (with the stored weights, in float16), but on the posts' own tokens. Removing or replacing
image or hashtag input is in training/data/controls.py.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from rich.progress import Progress

from models.core.labels import Span, spans
from models.core.post import Mention, Post
from models.core.visual_context import VisualContext
from models.inference.tagger import Prepared, Tagger
from models.text.tokenizer import Token
from training.data.conll import LabelledPost
from training.data.datasets import Look, Sample
from training.evaluation.confusion import Confusion, confusion
from training.evaluation.evaluate import ImageSource, joined
from training.evaluation.scoring import Score, partial_score, score

BATCH = 32


@dataclass(frozen=True)
class EvaluationResult:
    """Strict and partial scores (training/evaluation/scoring.py), confusion matrix, and the modalities' mean
    weights."""

    strict: dict[str, Score]
    partial: dict[str, Score]
    confusion: Confusion
    weights: dict[str, float]
    """Mean over the tagged mentions; empty if the model has no weights, or nothing was tagged."""

    @property
    def f1(self) -> float:
        """Strict, overall."""
        return self.strict["overall"].f1

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def measure(
    tagger: Tagger,
    samples: Sequence[Sample],
    progress: Progress,
    about: str = "",
    images: ImageSource | None = None,
    types: frozenset[str] | None = None,
) -> EvaluationResult:
    """Tag `samples` and score the result.

    images: unrelated pictures, read in addition to the samples' own words. types: score only these (None: all).
    """
    tagged = tag_samples(tagger, samples, progress, about, images)
    gold = [_of_types(spans(sample.tags), types) for sample in samples]
    predicted = [
        _of_types(token_spans(sample.tokens, mentions), types)
        for sample, mentions in zip(samples, tagged, strict=True)
    ]
    weights = mean_weights([mention for mentions in tagged for mention in mentions])
    return EvaluationResult(
        score(gold, predicted), partial_score(gold, predicted), confusion(gold, predicted), weights
    )


def tag_samples(
    tagger: Tagger,
    samples: Sequence[Sample],
    progress: Progress,
    about: str = "",
    images: ImageSource | None = None,
    batch: int = BATCH,
) -> list[list[Mention]]:
    """The mentions of each sample, in characters of its tokens joined by spaces."""
    task = progress.add_task(about or tagger.name, total=len(samples))
    nobody = LabelledPost([], [])
    pictures = images.pictures([nobody] * len(samples)) if images else ([] for _ in samples)
    found: list[list[Mention]] = []
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        prepared = [replace(prepare(tagger, sample), pictures=tuple(next(pictures))) for sample in part]
        looked = tagger.look(prepared) if images else [VisualContext() for _ in part]
        seen = [
            VisualContext((*sample.image_words, *each.words), sample.pixels or each.pixels)
            for sample, each in zip(part, looked, strict=True)
        ]
        found += tagger.tag_seen(prepared, seen)
        progress.advance(task, len(part))
    progress.remove_task(task)
    return found


def look_of(tagger: Tagger) -> Look:
    """Reads `folder/images/<id>.jpg` with the tagger's own CNN; for `read_folder` with `pixels`."""

    def look(folder: Path, ids: Sequence[str]) -> dict[str, VisualContext]:
        nobody, source = tagger.prepare(Post(""), []), ImageSource(folder / "images")
        pictures = source.pictures([LabelledPost([], [], name) for name in ids])  # read as they are wanted
        seen: dict[str, VisualContext] = {}
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            prepared = [replace(nobody, pictures=tuple(each)) for each in islice(pictures, len(part))]
            seen |= zip(part, tagger.look(prepared), strict=True)
        return seen

    return look


def prepare(tagger: Tagger, sample: Sample) -> Prepared:
    """A sample as input for the tagger: its own tokens, and its hashtags unless they are ignored."""
    text, found = joined(sample.tokens)
    return tagger.prepare_tokens(text, found, None if sample.hashtags else ())


def token_spans(tokens: Sequence[str], mentions: Sequence[Mention]) -> list[Span]:
    """Mentions in characters of the joined tokens, as spans over tokens."""
    found: list[Token] = joined(tokens)[1]
    starts = {token.start: index for index, token in enumerate(found)}
    ends = {token.end: index + 1 for index, token in enumerate(found)}
    return [Span(starts[mention.start], ends[mention.end], mention.type) for mention in mentions]


def mean_weights(mentions: Sequence[Mention]) -> dict[str, float]:
    """The mean of the mentions' modality weights."""
    names = mentions[0].weights if mentions else {}
    return {name: sum(mention.weights[name] for mention in mentions) / len(mentions) for name in names}


def _of_types(found: list[Span], types: frozenset[str] | None) -> list[Span]:
    return [span for span in found if types is None or span.type in types]
