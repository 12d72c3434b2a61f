"""The record of the `entities` topic, one per mention.

Offsets in text are code points. Beside them are UTF-16 code units, for consumers in JavaScript or Java, and UTF-8
bytes, for Go or Rust.
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
    """Hash of source, post id, start, end and type. A replay repeats it, so consumers can drop repeats."""
    text: str
    type: str
    start: int
    end: int
    start_utf16: int
    end_utf16: int
    start_utf8: int | None = None
    end_utf8: int | None = None
    canonical: str
    """The key under which mentions of one name are counted together: letters and digits only, folded. Older events
    have words and spaces here."""
    confidence: float
    weights: dict[str, float]
    """The weight of each modality, summing to 1; empty if the model has no such weights."""
    model: str
    model_version: str
    post_id: str
    created_at: int
    """Epoch milliseconds: the post's own time, otherwise Kafka's."""
    tagged_at: int | None = None
    """Epoch milliseconds at which the worker tagged the post."""
    author: str | None = None
    lang: str | None = None
    """As in the post."""
    source: str = ""


def event_id(source: str, post_id: str, start: int, end: int, type_: str) -> str:
    """32 hex digits that identify one mention of one post, the same in every replay."""
    identity = orjson.dumps([source, post_id, start, end, type_])
    return hashlib.blake2b(identity, digest_size=16).hexdigest()


def utf16_offset(text: str, offset: int) -> int:
    """UTF-16 code units before code point `offset`."""
    return offset + bisect_left(_offsets_above(text, "\uffff"), offset)


def utf8_offset(text: str, offset: int) -> int:
    """UTF-8 bytes before code point `offset`."""
    if text.isascii():
        return offset
    more = (bisect_left(_offsets_above(text, last), offset) for last in ("\x7f", "\u07ff", "\uffff"))
    return offset + sum(more)


@lru_cache(maxsize=3)
def _offsets_above(text: str, last: str) -> list[int]:
    """The offsets of code points beyond `last`, which take one unit more. Cached because a post may have 20,000
    mentions."""
    return [offset for offset, character in enumerate(text) if character > last]


def entity_event(
    post: Post,
    mention: Mention,
    canonical: str,
    created_at: int,
    model: str,
    model_version: str,
    tagged_at: int | None = None,
) -> EntityEvent:
    """The event of one mention of `post`.

    created_at: the time it counts under; tagged_at: the time it was tagged; both in epoch milliseconds.
    """
    return EntityEvent(
        event_id=event_id(post.source, post.id, mention.start, mention.end, mention.type),
        text=mention.text,
        type=mention.type,
        start=mention.start,
        end=mention.end,
        start_utf16=utf16_offset(post.text, mention.start),
        end_utf16=utf16_offset(post.text, mention.end),
        start_utf8=utf8_offset(post.text, mention.start),
        end_utf8=utf8_offset(post.text, mention.end),
        canonical=canonical,
        confidence=round(mention.confidence, 6),
        weights={name: round(weight, 4) for name, weight in mention.weights.items()},
        model=model,
        model_version=model_version,
        post_id=post.id,
        created_at=created_at,
        tagged_at=tagged_at,
        author=post.author,
        lang=post.lang,
        source=post.source,
    )
