"""Says of any bytes whether they are a post, from the contract (deploy/schemas/post.json), the standard library's JSON
and nothing of ours: the worker must agree. None where the contract leaves it open."""

import json
import re
from typing import Any

from tests.fuzz.cases import BAD_POST, TAGGED

MOST_BYTES, MOST_TEXT, MOST_NAME = 8 * 2**20, 100_000, 512
SURELY_TOO_DEEP, SURELY_FINE = 1100, 800
"""Levels of nesting: in between, parsers differ."""
EXACT = 2**53


class _Bad(Exception):
    """This is not a post."""


class _Open(Exception):
    """The contract does not say."""


def verdict(value: bytes | None) -> str | None:
    """TAGGED, BAD_POST or None."""
    try:
        fields = fields_of(value)
        identifier(fields)
        text_of(fields)
    except (_Bad, ValueError, RecursionError):
        return BAD_POST
    except _Open:
        return None
    return TAGGED


def fields_of(value: bytes | None) -> dict[str, Any]:
    """The JSON object in `value`: RFC 8259, and NaN, infinity, half surrogate pairs and a byte-order mark."""
    if value is None or len(value) > MOST_BYTES:
        raise _Bad
    text = value.decode("utf-8-sig")
    depth = _depth(text)
    if depth > SURELY_TOO_DEEP:
        raise _Bad
    if depth > SURELY_FINE:
        raise _Open
    fields = json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 4000 else float(digits))
    if not isinstance(fields, dict):
        raise _Bad
    return fields


def identifier(fields: dict[str, Any]) -> str:
    """The id as it must be in events and receipts."""
    value = fields.get("id")
    if isinstance(value, dict) and len(value) == 1 and ("$oid" in value or "$numberLong" in value):
        (value,) = value.values()
    if type(value) is float and value.is_integer() and abs(value) < EXACT:
        value = int(value)
    return _text(str(value) if type(value) is int else value, 1, MOST_NAME)


def text_of(fields: dict[str, Any]) -> str:
    """The text that the offsets refer to."""
    return _text(fields.get("text"), 0, MOST_TEXT)


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*+"', "", text, flags=re.DOTALL)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _text(value: Any, least: int, most: int) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise _Bad
    return re.sub("[\ud800-\udfff]", "\ufffd", value)
