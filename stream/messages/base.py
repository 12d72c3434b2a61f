"""What all records on our topics share: size limits, and their encoding."""

import orjson

from models.core.record import Record

MAX_POST_BYTES = 8 * 2**20
"""`max.message.bytes` of the posts topic."""
MAX_DEAD_BYTES = 9 * 2**20
"""`max.message.bytes` of the dead-letter topic: a post and its headers must fit."""


def encode(record: Record) -> bytes:
    """The record's bytes on its topic."""
    return orjson.dumps(record.model_dump(by_alias=True))
