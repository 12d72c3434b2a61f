"""The images of a post as its fields give them: strings or objects, in `images` or the short `image`.

An image comes out as a dict with exactly one of `url`, `path` and `data`, and with `alt` where it has one.
"""

import base64
import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from models.posts.field_notes import FieldNotes

MAX_IMAGES = 4
"""Images of a post that are used; the others are skipped."""
MAX_ITEMS = 1000
"""Items of a list that are searched for usable ones."""
SOURCES = ("data", "url", "path")
"""Which one is used if an image has several: its bytes first, since they need no other machine."""
_URL = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_DATA_URI = re.compile(r"\s*data:([^,]*),", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
"""Entities that end in a semicolon. `&copy=1` of a URL is a parameter, and not a copyright sign."""
_STANDARD = bytes.maketrans(b"-_", b"+/")


def read_images(fields: Mapping[str, Any], notes: FieldNotes) -> list[dict[str, str]]:
    """The first usable images. `image` is read if `images` has none; both may hold one image or a list."""
    found = _read(fields.get("images"), notes)
    if not found and fields.get("image") not in (None, ""):
        found = _read(fields["image"], notes)
    return found


def image_bytes(data: str) -> bytes:
    """The bytes in an image's `data`: base64 in either alphabet, with or without padding and line breaks, or a data URI
    of it. Raises ValueError."""
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        pass
    found = _DATA_URI.match(data)
    if found and not found[1].lower().rstrip().endswith(";base64"):
        return unquote_to_bytes(data[found.end() :])
    encoded = unquote_to_bytes(data[found.end() :] if found else data)
    encoded = encoded.translate(_STANDARD, b" \t\r\n\f\v").rstrip(b"=")
    return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)


def _read(value: Any, notes: FieldNotes) -> list[dict[str, str]]:
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    found: list[dict[str, str]] = []
    for item in items[:MAX_ITEMS]:
        image = _image({"path": item} if isinstance(item, str) else item, notes)
        if image is None or len(found) == MAX_IMAGES:
            notes.skipped("images")
        if image is not None:
            found.append(image)
        if len(found) > MAX_IMAGES:
            break
    return found[:MAX_IMAGES]


def _image(item: Any, notes: FieldNotes) -> dict[str, str] | None:
    """None for an item that names no image."""
    if not isinstance(item, dict):
        return None
    given = [name for name in SOURCES if item.get(name)] or [name for name in SOURCES if item.get(name) == ""]
    usable = [name for name in given if isinstance(item[name], str)]
    if not usable:
        return None
    if len(given) > 1:
        notes.converted("images")
    image = _source(usable[0], item[usable[0]])
    alt = item.get("alt")
    if isinstance(alt, str):
        image["alt"] = alt
    elif alt is not None:
        notes.skipped("images")
    return image


def _source(name: str, text: str) -> dict[str, str]:
    """A URL is one also where it is given as a path, and so is a data URI."""
    if name == "data" or (name == "path" and ":" not in text and "//" not in text and "&" not in text):
        return {name: text}
    if _DATA_URI.match(text):
        return {"data": text}
    plain = _unescaped(text) if "&" in text else text
    if name == "url" or _URL.match(plain):
        url = plain.strip()
        return {"url": f"https:{url}" if url.startswith("//") else url}
    return {name: text}


def _unescaped(url: str) -> str:
    """The URL without the HTML entities that feeds leave in it, also where they are escaped twice."""
    for _ in range(2):
        url = _ENTITY.sub(lambda entity: html.unescape(entity[0]), url)
    return url
