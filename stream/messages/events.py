"""The record of the `entities` topic, one per mention.

Offsets in text are code points, with UTF-16 code units beside them for consumers in JavaScript or Java.
"""

import hashlib
from bisect import bisect_left
from functools import lru_cache
from typing import Literal

import orjson
from pydantic import Field

from models.core.post import Mention
from models.core.record import Record
from stream.messages.posts import Post


class EntityEvent(Record):
    """A record of the `entities` topic, one per mention; its key is `TYPE:canonical`."""

    schema_: Literal[1] = Field(1, alias="schema")
    event_id: str
    """Hash of source, post id, start, end and type: a replay repeats it, so repeats can be dropped."""
    text: str
    type: str
    start: int
    end: int
    start_utf16: int
    end_utf16: int
    canonical: str
    """The key under which mentions of one name are counted together: letters and digits only, folded. Older events
    have words and spaces here."""
    confidence: float
    weights: dict[str, float]
    """How much each modality weighed, summing to 1; empty where the model has no such weights."""
    model: str
    model_version: str
    post_id: str
    created_at: int
    """Epoch milliseconds: the post's own time, else Kafka's."""
    author: str | None = None
    source: str = ""


def event_id(source: str, post_id: str, start: int, end: int, type_: str) -> str:
    """32 hex digits that name one mention of one post, the same at every replay."""
    identity = orjson.dumps([source, post_id, start, end, type_])
    return hashlib.blake2b(identity, digest_size=16).hexdigest()


def utf16_offset(text: str, offset: int) -> int:
    """UTF-16 code units before code point `offset`."""
    return offset + bisect_left(_beyond_16_bits(text), offset)


@lru_cache(maxsize=1)
def _beyond_16_bits(text: str) -> list[int]:
    """The offsets of code points with two UTF-16 units; kept for the other mentions of the same post, which may be
    20,000."""
    return [offset for offset, character in enumerate(text) if character > "\uffff"]


def entity_event(
    post: Post, mention: Mention, canonical: str, created_at: int, model: str, model_version: str
) -> EntityEvent:
    """The event of one mention of `post`; `created_at` in epoch milliseconds is the time it counts under."""
    return EntityEvent(
        event_id=event_id(post.source, post.id, mention.start, mention.end, mention.type),
        text=mention.text,
        type=mention.type,
        start=mention.start,
        end=mention.end,
        start_utf16=utf16_offset(post.text, mention.start),
        end_utf16=utf16_offset(post.text, mention.end),
        canonical=canonical,
        confidence=round(mention.confidence, 6),
        weights={name: round(weight, 4) for name, weight in mention.weights.items()},
        model=model,
        model_version=model_version,
        post_id=post.id,
        created_at=created_at,
        author=post.author,
        source=post.source,
    )
