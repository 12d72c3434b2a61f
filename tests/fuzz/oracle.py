"""Says of any bytes whether they are a post, from the contract (deploy/schemas/post.json), the standard library's JSON
and nothing of ours: what the worker must agree with. None where the contract leaves it open."""

import calendar
import json
import math
import re
from typing import Any

from tests.fuzz.cases import BAD_POST, TAGGED

MOST_BYTES, MOST_TEXT, MOST_NAME, MOST_IMAGES = 8 * 2**20, 100_000, 512, 4
SURELY_TOO_DEEP, SURELY_FINE = 1100, 800
"""Levels of nesting: in between, parsers differ."""
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d{1,6})?([Zz]|[+-](\d\d):(\d\d))", re.ASCII
)


class _Bad(Exception):
    """This is no post."""


class _Open(Exception):
    """The contract does not say."""


def verdict(value: bytes | None) -> str | None:
    """TAGGED, BAD_POST or None."""
    try:
        _check(fields_of(value))
    except (_Bad, ValueError, RecursionError):
        return BAD_POST
    except _Open:
        return None
    return TAGGED


def fields_of(value: bytes | None) -> Any:
    """The JSON in `value`, by the strict reading of RFC 8259."""
    if value is None or len(value) > MOST_BYTES:
        raise _Bad
    text = value.decode("utf-8")
    depth = _depth(text)
    if depth > SURELY_TOO_DEEP:
        raise _Bad
    if depth > SURELY_FINE:
        raise _Open
    _refuse_lone_surrogates(json.loads(text, parse_int=str, object_pairs_hook=_Pairs))
    return json.loads(text, parse_constant=_refuse, parse_float=_number, parse_int=_integer)


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*+"', "", text, flags=re.DOTALL)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refuse(name: str) -> None:
    raise _Bad


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Bad
    return number


def _integer(text: str) -> int | float:
    """Beyond 64 bits a number is no integer any more."""
    number = int(text) if len(text) < 400 else _number(text)
    return number if -(2**63) <= number < 2**64 else _number(text)


class _Pairs(list[tuple[str, Any]]):
    """An object with all that was written in it: of a key that comes twice too."""


def _refuse_lone_surrogates(value: Any) -> None:
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            each.encode("utf-8")  # UnicodeEncodeError is a ValueError
        elif isinstance(each, list | tuple):
            todo += each


def _check(fields: Any) -> None:
    if not isinstance(fields, dict):
        raise _Bad
    given = {name: value for name, value in fields.items() if value is not None}
    name = given.get("id")
    _text(str(name) if type(name) is int else name, 1, MOST_NAME)
    _text(given.get("text"), 0, MOST_TEXT)
    _text(given.get("author", ""), 0, MOST_NAME)
    _text(given.get("source", ""), 0, MOST_NAME)
    _text(given.get("lang", ""))
    for hashtag in _list(given.get("hashtags", [])):
        _text(hashtag)
    images = _list(given.get("images", []))
    if len(images) > MOST_IMAGES:
        raise _Bad
    for image in images:
        _image(image)
    _time(given.get("created_at", 0))


def _text(value: Any, least: int = 0, most: float = math.inf) -> None:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise _Bad


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Bad
    return value


def _image(image: Any) -> None:
    if not isinstance(image, dict):
        raise _Bad
    given = {name: value for name, value in image.items() if value is not None}
    if 1 != sum(name in given for name in ("url", "path", "data")):
        raise _Bad
    for name in ("url", "path", "data", "alt"):
        _text(given.get(name, ""))


def _time(value: Any) -> None:
    if type(value) is int:
        return
    if not isinstance(value, str) or not any(character.isdigit() for character in value):
        raise _Bad
    found = _TIME.fullmatch(value)
    if not found:
        raise _Open  # other forms of ISO 8601 may be taken
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fits = 1 <= year and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    if (
        not fits
        or hour > 23
        or minute > 59
        or second > 59
        or int(found[9] or 0) > 23
        or int(found[10] or 0) > 59
    ):
        raise _Open  # leap seconds, year 0: in RFC 3339, but hardly in any clock
