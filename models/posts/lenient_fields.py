"""Readers of a post's fields, each of which takes what feeds put there.

A reader gets a value that is not null and returns it in the form of models/posts/post_json.py, or None if it cannot be
read. It notes values that are not in a documented form. Only `identifier` leaves a value that it cannot read to be
rejected.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from models.posts.field_notes import FieldNotes
from models.posts.image_fields import MAX_ITEMS, read_images
from models.posts.times import epoch_milliseconds

MAX_NAME = 512
"""Code points of an id, an author or a source: every event of a post repeats them. A longer id is rejected."""
MAX_LANG = 64
"""The same of a language; BCP 47 expects at most 35."""
EXACT = 2**53
"""Integers below it are exact in a float."""
AUTHOR_KEYS = ("username", "screen_name", "handle", "acct", "login", "name", "id_str", "id", "did")
SOURCE_KEYS = ("name", "title", "id", "url", "uri")
LANG_KEYS = ("code", "lang", "language", "iso", "id", "name")
HASHTAG_KEYS = ("text", "tag", "name", "hashtag", "title")
"""Keys of an object that stand for it, first one first: X, Mastodon, Bluesky, Reddit and their exporters."""
_BETWEEN = re.compile(r"[\s,;|#＃\[\]\"']+")


def read_fields_leniently(fields: Mapping[str, Any], notes: FieldNotes) -> dict[str, Any]:
    """The fields of a post that could be read. `id` and `text` may still be invalid."""
    found = {name: fields[name] for name in ("id", "text") if fields.get(name) is not None}
    if "id" in found and type(found["id"]) is not str:
        found["id"] = identifier(found["id"])
    for name, read in READERS.items():
        value = fields.get(name)
        if value is not None and (value := read(value, notes)) is not None:
            found[name] = value
    if fields.get("images") is not None or fields.get("image") is not None:
        found["images"] = read_images(fields, notes)
    return found


def identifier(value: Any) -> Any:
    """Ids of some sources are numbers; they are read as their digits. MongoDB's are objects."""
    if isinstance(value, dict) and len(value) == 1:
        value = value.get("$oid", value.get("$numberLong", value))
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _time(value: Any, notes: FieldNotes) -> int | None:
    found = epoch_milliseconds(value)
    if found is None:
        notes.skipped("created_at")
    return found


def _hashtags(value: Any, notes: FieldNotes) -> list[str] | None:
    """None, so that they are taken from the text, if none of a non-empty value can be read."""
    if isinstance(value, list) and all(type(item) is str for item in value):
        return value
    found: list[str] = []
    if isinstance(value, str):
        found = [part for part in _BETWEEN.split(value, MAX_ITEMS)[:MAX_ITEMS] if part]
        return found or None
    for item in (value if isinstance(value, list) else [value])[:MAX_ITEMS]:
        text = _name(item, HASHTAG_KEYS)
        if text is None:
            notes.skipped("hashtags")
        else:
            notes.converted("hashtags")
            found.append(text)
    return found or None


def _reader(field: str, keys: tuple[str, ...], most: int) -> Callable[[Any, FieldNotes], str | None]:
    def read(value: Any, notes: FieldNotes) -> str | None:
        if type(value) is str and len(value) <= most:
            return value
        found = _name(value[0] if isinstance(value, list) and value else value, keys)
        if found is None or len(found) > most:
            notes.skipped(field)
            return None
        notes.converted(field)
        return found

    return read


READERS: Mapping[str, Callable[[Any, FieldNotes], Any]] = {
    "created_at": _time,
    "author": _reader("author", AUTHOR_KEYS, MAX_NAME),
    "lang": _reader("lang", LANG_KEYS, MAX_LANG),
    "source": _reader("source", SOURCE_KEYS, MAX_NAME),
    "hashtags": _hashtags,
}


def _name(value: Any, keys: tuple[str, ...]) -> str | None:
    """A string from a string, a number or an object with one of `keys`."""
    if isinstance(value, dict):
        value = next((value[key] for key in keys if value.get(key) not in (None, "")), None)
    if isinstance(value, str):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return str(identifier(value)) if number else None
