"""Posts longer than the model's window, split into parts for training and for scoring.

Parts overlap as in serving (models/text/post_encoder.py). Training may see an entity twice, but never one cut by a
border. Scoring counts each entity once, where a served model reports it, and so ignores the gold tags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.core.labels import Span
from models.text.post_encoder import PostEncoder
from models.text.windows import owned_windows, windows
from training.data.datasets import Sample


def in_windows(samples: Sequence[Sample], encoder: PostEncoder) -> list[Sample]:
    """The samples, with each that is longer than a window split into several, which overlap as in serving.

    A border that would cut an entity moves inwards, out of the entity.
    """
    return [part for sample in samples for part in _cut(sample, windows(encoder.token_ids(sample.tokens)))]


def _cut(sample: Sample, bounds: Sequence[tuple[int, int]]) -> list[Sample]:
    if len(bounds) == 1:
        return [sample]
    inside = [tag.startswith("I-") for tag in sample.tags] + [False]
    found = []
    for start, end in bounds:
        whole = [at for at in range(start, end + 1) if not inside[at]]
        if len(whole) > 1:  # not all one entity
            kept = slice(whole[0], whole[-1])
            found.append(replace(sample, tokens=sample.tokens[kept], tags=sample.tags[kept]))
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a sample."""

    sample: Sample
    """Its tokens alone."""
    whole: int
    """Index of the whole sample."""
    start: int
    """Start of the window in the sample's tokens."""
    first: int
    """Mentions that start in the sample's tokens [first, last) belong to this part."""
    last: int


def parts_of(samples: Sequence[Sample], encoder: PostEncoder) -> list[Window]:
    """The windows of each sample, as in serving; most samples have one."""
    return [
        Window(_within(sample, start, end), whole, start, first, last)
        for whole, sample in enumerate(samples)
        for start, end, first, last in owned_windows(encoder.token_ids(sample.tokens))
    ]


def joined(parts: Sequence[Window], found: Sequence[Sequence[Span]], samples: int) -> list[list[Span]]:
    """The spans found in each part, as spans over the tokens of each of the `samples`."""
    whole: list[list[Span]] = [[] for _ in range(samples)]
    for part, spans in zip(parts, found, strict=True):
        moved = [Span(part.start + span.start, part.start + span.end, span.type) for span in spans]
        whole[part.whole] += [span for span in moved if part.first <= span.start < part.last]
    return whole


def _within(sample: Sample, start: int, end: int) -> Sample:
    return replace(sample, tokens=sample.tokens[start:end], tags=sample.tags[start:end])
