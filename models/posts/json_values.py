"""JSON as feeds write it: like RFC 8259, and with what other parsers let pass.

`NaN`, infinity, numbers of any size, half a surrogate pair and a byte-order mark cost no post. What cannot be read gets
a reason that says what it looks like (models/posts/hints.py).
"""

import json
import re
from typing import Any

import orjson

from models.core.errors import BadPost
from models.posts.hints import bytes_hint, envelope_hint
from models.posts.lines import BYTE_ORDER_MARK

MAX_DIGITS = 4000
"""Digits of an integer over which it is read as a float: Python refuses more."""
_ESCAPE = re.compile(r"(\\[^u])|(\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u[dD][89a-fA-F]..")
_NAMES = {"list": "an array", "str": "a string", "NoneType": "null", "bool": "a boolean", "int": "a number"}


def read_fields(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, not checked further. Raises BadPost."""
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        fields = _read_leniently(data, error)
    if not isinstance(fields, dict):
        kind = _NAMES.get(type(fields).__name__, "a number")
        raise BadPost(f"post must be a JSON object, got {kind}{envelope_hint(fields)}")
    if isinstance(fields.get("id"), float):
        fields["id"] = _read_leniently(data, ValueError())["id"]  # orjson has no integers over 64 bits
    return fields


def dump_fields(fields: dict[str, Any]) -> bytes:
    """The JSON of fields that `read_fields` has read."""
    try:
        return orjson.dumps(fields)
    except TypeError:  # an integer over 64 bits
        return json.dumps(fields).encode()


def _read_leniently(data: bytes, error: ValueError) -> Any:
    """The value in `data`, which orjson refuses with `error`."""
    if "limit exceeded" in str(error):
        raise BadPost("not valid JSON: it is nested too deeply")
    try:
        return json.loads(_ESCAPE.sub(_whole_pairs, _text(data)), parse_int=_integer)
    except UnicodeDecodeError as invalid:
        reason = f"invalid UTF-8 at byte {invalid.start}"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:
        reason = str(error)
    raise BadPost(f"not valid JSON: {reason}{bytes_hint(data)}") from None


def _text(data: bytes) -> str:
    return data.removeprefix(BYTE_ORDER_MARK).decode()


def _whole_pairs(escape: re.Match[str]) -> str:
    """A replacement character for half a surrogate pair: as long as it in UTF-16, and one code point."""
    return escape[0] if escape.lastindex else r"\ufffd"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)
