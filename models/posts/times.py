"""The time of a post, from any of the forms that networks and databases write.

Numbers are told apart by their size: seconds below 1e11 (the year 5138), then milliseconds, microseconds and
nanoseconds, each a thousand times more. A time without a zone is UTC. Zero is the default of a field that was not set,
so it is not a time.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from typing import Any

LONGEST = 100
"""Characters of a time; a longer string is not parsed."""
_SECONDS_BELOW = 1e11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST, _LAST = -62_135_683_200_000, 253_402_387_200_000
"""The years 1 to 9999 in any zone, in epoch milliseconds."""
_ZONE = r"(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?(?::?\d\d)?)"
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_COMPACT = re.compile(r"(?:19|20)\d{6}(?:\d{6})?", re.ASCII)
"""`20260101` and `20260101100000`: dates, though they could be numbers of 1970 and of the year 2612."""
_CALENDAR = re.compile(
    r"(?P<year>\d{4})[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)"
    r"(?:(?:\s+|[T_])(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
    rf"\s*(?:{_ZONE}(?:\s+[A-Z]{{2,5}}|\[[\w/+:-]+\])?)?",
    re.ASCII | re.IGNORECASE,
)
"""ISO 8601's extended form and RFC 3339, and what Go, Java, Ruby and SQL make of them."""
_DOTNET = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/", re.ASCII)
_MONTH = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", re.IGNORECASE)
_HALF_DAY = re.compile(r"\b[ap]m\b", re.IGNORECASE)
"""The standard library would ignore it."""
_LEAP_SECOND = re.compile(r"(\d\d:?\d\d:?)60(?!\d*:)")


def epoch_milliseconds(value: Any) -> int | None:
    """The time in epoch milliseconds; None if it cannot be read.

    value: a number, a string, an object of MongoDB's extended JSON such as {"$date": ...}, or Jackson's list of year,
    month, day, hour, minute, second and nanosecond.
    """
    try:
        found = _read(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return found if found and _FIRST <= found <= _LAST else None


def _read(value: Any) -> int | None:
    if isinstance(value, str):
        if len(value) > LONGEST:
            return None
        if value[10:11] == "T" and (found := _from_rfc_3339(value)) is not None:
            return found
        return _from_text(value.strip())
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_number(value)
    if isinstance(value, dict):
        return _from_extended_json(value)
    if isinstance(value, list) and 3 <= len(value) <= 7 and all(type(part) is int for part in value):
        year, month, day, hour, minute, second, nanosecond = value + [0] * (7 - len(value))
        return _milliseconds(year, month, day, hour, minute, second, nanosecond // 1_000_000)
    return None


def _from_rfc_3339(text: str) -> int | None:
    """The usual form, which the standard library reads ten times as fast as we do the others."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MILLISECOND if moment.tzinfo else None


def _from_number(value: int | float) -> int | None:
    """Raises ValueError or OverflowError for NaN and infinity."""
    if isinstance(value, int) and (date := _from_compact(str(value))) is not None:
        return date
    size = abs(value)
    if size < _SECONDS_BELOW:
        return round(value * 1000)
    for divisor, below in ((1, 1e14), (1_000, 1e17), (1_000_000, 1e20)):
        if size < below:
            return round(value) // divisor
    return None


def _from_text(text: str) -> int | None:
    if _NUMBER.fullmatch(text):
        return _from_number(int(text) if text.lstrip("+-").isdigit() else float(text))
    if found := _CALENDAR.fullmatch(text):
        return _from_calendar(found)
    if found := _DOTNET.fullmatch(text):
        return int(found[1])
    return _from_iso(text) if text[:1].isdigit() else _from_mail(text)


def _from_compact(text: str) -> int | None:
    if not _COMPACT.fullmatch(text):
        return None
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%S" if len(text) > 8 else "%Y%m%d")
    except ValueError:
        return None
    return (moment.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


def _from_calendar(found: re.Match[str]) -> int:
    part = {name: int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    fraction = int((found["fraction"] or "")[:3].ljust(3, "0"))
    return _milliseconds(**part, millisecond=fraction, offset=_offset(found["zone"]))


def _from_iso(text: str) -> int | None:
    """The forms of ISO 8601 without separators, and those by week."""
    leap = _LEAP_SECOND.search(text)
    if leap:
        text = f"{text[: leap.start()]}{leap[1]}59{text[leap.end() :]}"
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return _from_mail(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MILLISECOND + 1000 * bool(leap)


def _from_mail(text: str) -> int | None:
    """RFC 2822, and near it: X's `Wed Aug 27 13:08:45 +0000 2008`, C's `asctime`, JavaScript's `Date.toString`."""
    if not _MONTH.search(text) or _HALF_DAY.search(text):
        return None
    parsed = parsedate_tz(re.sub(r"\b(?:GMT|UTC)(?=[+-]\d)", "", text))
    if parsed is None:
        return None
    year, month, day, hour, minute, second = parsed[:6]
    return _milliseconds(year, month, day, hour, minute, second, offset=parsed[9] or 0)


def _from_extended_json(value: dict[str, Any]) -> int | None:
    """MongoDB's {"$date": ...}, in milliseconds however small, and Firestore's and Protocol Buffers' seconds."""
    seconds = value.get("_seconds", value.get("seconds"))
    if isinstance(seconds, int | str):
        return int(seconds) * 1000 + int(value.get("_nanoseconds", value.get("nanos", 0))) // 1_000_000
    inner = value.get("$date")
    if isinstance(inner, dict):
        inner = inner.get("$numberLong")
        return int(inner) if isinstance(inner, str | int) else None
    if isinstance(inner, int | float):
        return int(inner)
    if inner is None:
        inner = value.get("$numberLong", value.get("$numberDouble"))
    return _read(inner) if isinstance(inner, str) else None


def _offset(zone: str | None) -> int:
    """Seconds east of Greenwich. Raises ValueError."""
    digits = (zone or "").replace(":", "")
    if digits[:1] not in ("+", "-"):
        return 0
    hours, minutes, seconds = int(digits[1:3]), int(digits[3:5] or 0), int(digits[5:7] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError("no zone is as far from Greenwich")
    return int(f"{digits[0]}1") * (3600 * hours + 60 * minutes + seconds)


def _milliseconds(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    millisecond: int = 0,
    *,
    offset: int = 0,
) -> int:
    """A leap second (60) and midnight at the end of a day (24:00) become the moment that follows. Raises ValueError."""
    if hour == 24 and (minute, second, millisecond) == (0, 0, 0):
        more, hour = timedelta(days=1), 0
    else:
        more = timedelta(0)
    leap = second == 60
    moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC) - _EPOCH
    moment += more + timedelta(seconds=leap - offset, milliseconds=millisecond)
    return moment // _MILLISECOND
