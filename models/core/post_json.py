"""A post as others write it, read in one way by workers, `trimod ingest`, `trimod tag` and `trimod label`.

In files, `"image": "some/path.jpg"` is short for `images`; on the topic it is an unknown field.
"""

from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from models.core.errors import BadPost, explain
from models.core.record import Incoming

MAX_TEXT = 100_000
"""Code points of text over which a post is bad."""
MAX_NAME = 512
"""Code points of an id, an author or a source over which a post is bad: every event of a post repeats them."""
MAX_IMAGES = 4


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


class PostImage(Incoming):
    """One image: exactly one of `url`, `path` (below the workers' images root) and `data` (base64)."""

    url: str | None = None
    path: str | None = None
    data: str | None = None
    """Base64; what is none is a broken image and no bad post, so stream/images/loader.py decodes it."""
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


def read_fields(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, not checked further. Raises BadPost."""
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadPost(f"not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadPost(f"post must be a JSON object, got {type(fields).__name__}")
    return fields


def expand_image(fields: dict[str, Any]) -> bool:
    """Turn the short form `image` into `images`; whether there was one."""
    if fields.get("images") is not None or not isinstance(fields.get("image"), str):
        return False
    path = fields.pop("image")
    fields["images"] = [{"path": path}] if path else []
    return True


def to_post(fields: dict[str, Any]) -> Post:
    """The post that has these fields. Raises BadPost naming the field that is wrong."""
    try:
        return Post.model_validate(fields)
    except ValidationError as error:
        raise BadPost(explain(error, "field", _detail)) from None


def _detail(name: str, error: ErrorDetails) -> str:
    return f"field '{name}': {error['msg'].removeprefix('Value error, ')}"
