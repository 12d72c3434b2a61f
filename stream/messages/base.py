"""What all records on our topics share: base classes, limits, and how they become bytes."""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, model_validator

MAX_TEXT = 100_000
"""Code points of text over which a post is bad."""


MAX_NAME = 512
"""Code points of an id, an author or a source over which a post is bad: every event of a post repeats them."""


MAX_IMAGES = 4


MAX_POST_BYTES = 8 * 2**20
"""`max.message.bytes` of the posts topic."""


MAX_DEAD_BYTES = 9 * 2**20
"""The same of the dead-letter topic: a post and its headers must fit."""


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


def encode(record: Record) -> bytes:
    """The record as it goes on a topic."""
    return orjson.dumps(record.model_dump(by_alias=True))
