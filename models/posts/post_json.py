"""A post as others write it: the one parser of workers, `trimod ingest`, `tag` and `label`, and `Tagger.tag`.

Only `id` and `text` must be usable. The other fields are read in many forms, and skipped where they cannot be read; a
post knows which of them were (`Post.notes`).
"""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails

from models.core.errors import BadPost, explain
from models.core.record import Record
from models.posts.field_notes import FieldNotes, Outcome
from models.posts.hints import envelope_hint
from models.posts.image_fields import MAX_IMAGES, read_images
from models.posts.json_values import read_fields
from models.posts.lenient_fields import MAX_LANG, MAX_NAME, read_fields_leniently

__all__ = [
    "MAX_IMAGES",
    "MAX_NAME",
    "MAX_TEXT",
    "Post",
    "PostImage",
    "expand_image",
    "read_fields",
    "to_post",
]

MAX_TEXT = 100_000
"""Code points of text over which a post is bad."""


class PostImage(Record):
    """One image: one of `url`, `path` (below the workers' images root) and `data` (base64, or a data URI)."""

    url: str | None = None
    path: str | None = None
    data: str | None = None
    """Decoded when the post is tagged: invalid base64 is a broken image, and the post is tagged without it."""
    alt: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> "PostImage":
        if [self.url, self.path, self.data].count(None) != 2:
            raise ValueError("needs exactly one of url, path and data")
        return self


def _any_of(*types: str, **more: Any) -> WithJsonSchema:
    """What may be sent for a field, where that is more than what the decoded post has."""
    return WithJsonSchema({"anyOf": [*({"type": name} for name in types), *more.get("forms", ())]})


_NAME = {"type": "string", "maxLength": MAX_NAME}


def _with_image(schema: dict[str, Any]) -> None:
    """The short forms of images, which a decoded post does not have."""
    schema["properties"]["image"] = {
        "anyOf": [{"type": "string"}, schema["properties"]["images"]["items"], {"type": "null"}],
        "default": None,
        "description": "Short for `images` with one item: a path, a URL or an object. Ignored if `images` has any.",
        "title": "Image",
    }
    images = schema["properties"]["images"]
    items = {"type": images.pop("type"), "items": {"anyOf": [{"type": "string"}, images.pop("items")]}}
    images["anyOf"] = [items, {"type": "null"}]


class Post(Record):
    """A record of the `posts` topic; its key is `id`. Unknown fields are ignored, and null is the same as absent.

    Fields other than `id` and `text` are skipped if they cannot be read."""

    model_config = ConfigDict(json_schema_extra=_with_image)

    id: Annotated[str, WithJsonSchema({"anyOf": [{**_NAME, "minLength": 1}, {"type": "integer"}]})] = Field(
        min_length=1, max_length=MAX_NAME
    )
    text: str = Field(max_length=MAX_TEXT)
    created_at: Annotated[int | None, _any_of("integer", "number", "string", "object", "null")] = None
    """ISO 8601, RFC 3339, RFC 2822, or a number since 1970: seconds, milliseconds, microseconds or nanoseconds by its
    size. Without a zone it is UTC. Epoch milliseconds once decoded."""
    author: str | None = Field(None, max_length=MAX_NAME)
    lang: str | None = Field(None, max_length=MAX_LANG)
    source: Annotated[str, _any_of("null", forms=[_NAME])] = Field("", max_length=MAX_NAME)
    """Where the post comes from (a network, a feed): ids need be unique only within it."""
    hashtags: Annotated[
        tuple[str, ...] | None,
        _any_of("string", "null", forms=[{"type": "array", "items": {"type": "string"}}]),
    ] = Field(None, strict=False)
    """With or without `#`, as a list or in one string; taken from the text where absent."""
    images: tuple[PostImage, ...] = Field((), strict=False)
    """The first four are used."""

    notes: SkipJsonSchema[tuple[tuple[str, Outcome], ...]] = Field((), exclude=True)
    """(field, outcome) of each field that was not in a documented form; set by `to_post`."""


def to_post(fields: dict[str, Any]) -> Post:
    """The post that has these fields. Raises BadPost, which names the field if `id` or `text` is not usable."""
    notes = FieldNotes()
    found = read_fields_leniently(fields, notes)
    if notes:
        found["notes"] = notes.all()
    try:
        return Post.model_validate(found)
    except ValidationError as error:
        raise BadPost(explain(error, "field", _detail) + envelope_hint(fields)) from None


def expand_image(fields: dict[str, Any]) -> bool:
    """Turn the short form `image` into `images`; whether there was one."""
    if fields.get("images") or fields.get("image") is None:
        return False
    fields["images"] = read_images(fields, FieldNotes())
    del fields["image"]
    return True


def _detail(name: str, error: ErrorDetails) -> str:
    return f"field '{name}': {error['msg'].removeprefix('Value error, ')}"
