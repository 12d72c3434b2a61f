"""The records on our topics, typed and checked at the edge; JSON Schemas come from these classes.

`decode_post` is the way in: whatever is no post is a BadPost that names the field. Records go out as bytes by
`encode`. Offsets in text are code points, with UTF-16 code units beside them for consumers in JavaScript or Java.
"""

import hashlib
from bisect import bisect_left
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from models.core.post import Mention
from stream.errors import BadPost

MAX_TEXT = 100_000
"""Code points of text over which a post is bad."""
MAX_NAME = 512
"""Code points of an id, an author or a source over which a post is bad: every event of a post repeats them."""
MAX_IMAGES = 4
DEFAULT_GROUP = "trimod"
"""Whose receipts those of schema 1 are, which do not say it."""
MAX_POST_BYTES = 8 * 2**20
"""`max.message.bytes` of the posts topic."""
MAX_DEAD_BYTES = 9 * 2**20
"""The same of the dead-letter topic: a post and its headers must fit."""


def _milliseconds(value: Any) -> Any:
    """Epoch milliseconds from an int or an RFC 3339 string with an offset."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.upper())  # RFC 3339 takes `t` and `z` too
        except ValueError:
            raise ValueError("must be RFC 3339 or epoch milliseconds") from None
        if moment.tzinfo is None:
            raise ValueError("RFC 3339 time needs an offset such as Z")
        return int(moment.timestamp() * 1000)
    return value


def _identifier(value: Any) -> Any:
    """Ids of some sources are numbers; JSON's are taken as their digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, use_attribute_docstrings=True)


class Incoming(Record):
    """What others write: a field that is null is as good as absent."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if value is not None}


class PostImage(Incoming):
    """One image: exactly one of `url`, `path` (below the workers' images root) and `data` (base64)."""

    url: str | None = None
    path: str | None = None
    data: str | None = None
    """Base64; what is none is a broken image and no bad post, so stream/fetch.py decodes it."""
    alt: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> "PostImage":
        if [self.url, self.path, self.data].count(None) != 2:
            raise ValueError("needs exactly one of url, path and data")
        return self


class Post(Incoming):
    """A record of the `posts` topic; its key is `id`. Unknown fields are ignored."""

    id: Annotated[str, BeforeValidator(_identifier, json_schema_input_type=str | int)] = Field(
        min_length=1, max_length=MAX_NAME
    )
    text: str = Field(max_length=MAX_TEXT)
    created_at: Annotated[
        int | None, BeforeValidator(_milliseconds, json_schema_input_type=int | str | None)
    ] = None
    """RFC 3339 with offset or epoch milliseconds; epoch milliseconds once decoded."""
    author: str | None = Field(None, max_length=MAX_NAME)
    lang: str | None = None
    source: str = Field("", max_length=MAX_NAME)
    """Where the post comes from (a network, a feed): ids need be unique only within it."""
    hashtags: tuple[str, ...] | None = Field(None, strict=False, fail_fast=True)
    """Without `#`; taken from the text where absent."""
    images: tuple[PostImage, ...] = Field((), max_length=MAX_IMAGES, strict=False, fail_fast=True)


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


class ReceiptMention(Record):
    event_id: str
    type: str
    canonical: str


class Origin(Record):
    """Where a post was read: its topic, partition and offset."""

    topic: str
    topic_id: str
    """Kafka's UUID of the topic: one that is deleted and made anew starts its offsets again."""
    partition: int
    offset: int


class Receipt(Record):
    """A record of the `posts.tagged` topic, one per post, also when nothing was found.

    Its key is `topic:partition` of the origin.
    """

    schema_: Literal[1, 2] = Field(2, alias="schema")
    """2 has `group`; 1, written before, has none."""
    group: str = DEFAULT_GROUP
    """Consumer group of the worker, under which the mentions were counted."""
    source: str
    post_id: str
    origin: Origin
    model_version: str
    created_at: int
    """Epoch milliseconds under which the mentions were counted."""
    tagged_at: int
    """Epoch milliseconds at which the worker tagged the post."""
    mentions: tuple[ReceiptMention, ...] = Field(strict=False)


def decode_post(value: bytes | None) -> Post:
    """The post in a record's bytes. Raises BadPost naming the field that is wrong."""
    if value is None:
        raise BadPost("post is empty (a tombstone)")
    if len(value) > MAX_POST_BYTES:
        raise BadPost(f"post has {len(value)} bytes; at most {MAX_POST_BYTES} are taken")
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadPost(f"post is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadPost(f"post must be a JSON object, got {type(fields).__name__}")
    try:
        return Post.model_validate(fields)
    except ValidationError as error:
        raise BadPost("; ".join(map(_explain, error.errors()))) from None


def _explain(error: Any) -> str:
    name = ""
    for part in error["loc"]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    if error["type"] == "missing":
        return f"field '{name}' is missing"
    return f"field '{name}': {error['msg'].removeprefix('Value error, ')}"


def encode(record: Record) -> bytes:
    """The record as it goes on a topic."""
    return orjson.dumps(record.model_dump(by_alias=True))


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
