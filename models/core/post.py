"""Input and output of a tagger: plain values, without torch or Kafka.

Offsets are code points of the post's own text, end exclusive: `text[start:end]` is the mention.
"""

from dataclasses import dataclass, field

TYPES = ("PER", "LOC", "ORG", "MISC")


@dataclass(frozen=True, slots=True)
class Image:
    """One picture of a post, as the bytes of a JPEG, PNG, WebP, GIF or AVIF file, and its alt text."""

    data: bytes
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """A post to tag. `hashtags` without their `#`; None means: take them from the text."""

    text: str
    hashtags: tuple[str, ...] | None = None
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Mention:
    """One named entity in a post's text.

    confidence: probability in [0, 1] of exactly this span and type under the CRF.
    weights: the weight of each modality, summing to 1; empty if the model has no such weights.
    canonical: the key under which mentions of one name are counted together (models/text/canonical.py).
    """

    start: int
    end: int
    text: str
    type: str
    confidence: float
    weights: dict[str, float] = field(default_factory=dict)
    canonical: str = ""
