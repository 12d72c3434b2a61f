"""The time of a post in the forms of networks, databases and languages."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.posts.times import epoch_milliseconds

NEW_YEAR = 1_767_261_600_000
"""2026-01-01T10:00:00Z."""


@pytest.mark.parametrize(
    "value",
    [
        1767261600, 1767261600.0, 1767261600000, 1767261600000.0, 1767261600000000, 1767261600000000000,
        "1767261600", "1767261600.000", "1767261600000", "1767261600000000", "1.7672616e9", " 1767261600 ",
        20260101100000, "20260101100000",
    ],
)  # fmt: skip
def test_numbers_are_told_apart_by_size(value: Any) -> None:
    assert NEW_YEAR == epoch_milliseconds(value)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T10:00:00", "2026-01-01T10:00:00Z", "2026-01-01t10:00:00z", "2026-01-01 10:00:00",
        "2026-01-01 10:00", "2026-01-01T10:00Z", "2026-1-1 10:00:00", "2026/01/01 10:00:00", "2026-01-01T10Z",
        "2026-01-01T11:00:00+01:00", "2026-01-01T11:00:00+0100", "2026-01-01T11:00:00+01", "20260101T100000Z",
        "20260101T110000+0100", "2026-W01-4T10:00:00Z", "2026-01-01T10:00:00.000000000Z",
        "2026-01-01T10:00:00,000Z", "2026-01-01 10:00:00 UTC", "2026-01-01 11:00:00 +0100 CET",
        "2026-01-01T10:00:00Z[UTC]", "2026-01-01T11:00:00+01:00[Europe/Paris]",
        "Thu, 01 Jan 2026 10:00:00 GMT", "Thu, 01 Jan 2026 10:00:00 +0000", "Thu, 1 Jan 2026 05:00:00 EST",
        "01 Jan 2026 10:00:00 -0000", "Thu Jan 01 10:00:00 +0000 2026", "Thu Jan  1 10:00:00 2026",
        "Thu Jan  1 10:00:00 UTC 2026", "Thu Jan 01 2026 11:00:00 GMT+0100 (Central European Standard Time)",
        "January 1, 2026 10:00:00", "/Date(1767261600000)/", "/Date(1767261600000+0100)/",
        {"_seconds": 1767261600, "_nanoseconds": 0}, {"seconds": "1767261600", "nanos": 999}, "1 January 2026 10:00",
        "Thursday, 01-Jan-26 10:00:00 GMT", {"$date": "2026-01-01T10:00:00Z"},
        {"$date": NEW_YEAR}, {"$date": {"$numberLong": str(NEW_YEAR)}},
        {"$numberLong": "1767261600"}, {"$numberDouble": "1767261600.0"}, [2026, 1, 1, 10, 0],
        [2026, 1, 1, 10, 0, 0, 0],
    ],
)  # fmt: skip
def test_every_form_of_one_time_is_read(value: Any) -> None:
    assert NEW_YEAR == epoch_milliseconds(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1767261600.5, 1_767_261_600_500),
        ("1767261600.5", 1_767_261_600_500),
        ("Wed Aug 27 13:08:45 +0000 2008", 1_219_842_525_000),
        ("2026-06-30T23:59:60Z", 1_782_864_000_000),
        ("2026-06-30T23:59:60.5+00:00", 1_782_864_000_500),
        ("20260630T235960Z", 1_782_864_000_000),
        ("Tue, 30 Jun 2026 23:59:60 +0000", 1_782_864_000_000),
        ("2026-01-01T24:00:00Z", 1_767_312_000_000),
        ("20260101", 1_767_225_600_000),
        (20260101, 1_767_225_600_000),
        ("2026-01-01", 1_767_225_600_000),
        ({"$date": 1000}, 1000),
        ("1970-01-01T00:00:01Z", 1000),
        (-1, -1000),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
        ("9999-12-31T23:59:59-14:00", 253_402_351_199_000),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
    ],
)
def test_unusual_times_are_read(value: Any, expected: int) -> None:
    assert expected == epoch_milliseconds(value)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, 0.0, "0", "1970-01-01T00:00:00Z", "", " ", "now", "yesterday", "Z", "10:00",
        "01/02/2026 10:00", "2026-02-29T00:00:00Z", "2026-13-01", "2026-01-01T25:00:00", "0000-00-00 00:00:00",
        "2026-01-01T00:00:00+99:99", "2026-01-01 10:00:00 PM", "Jan 1, 2026 10:00:00 PM",
        "2026-01-01T10:00:00 CET", "٢٠٢٦-01-01T00:00:00Z",
        "2026-01-01T10:00:60:00", 10**30, 2**67, float("nan"), float("inf"), "1" * 5000, "1" * 99, "NaN", {},
        {"$date": None}, {"$date": []}, {"$date": {"$numberLong": "x"}}, {"$date": 10**20}, {"second": 1}, [], [1],
        [2026, 13, 1], ["2026", 1, 1], [2026, 1, 1, 1, 1, 1, 1, 1],
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_none(value: Any) -> None:
    assert None is epoch_milliseconds(value)


moments = st.datetimes(datetime(1973, 3, 4), datetime(5138, 1, 1), timezones=st.just(UTC))


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_a_time_written_by_the_standard_library_is_read_back(moment: datetime, offset: int) -> None:
    whole = moment.replace(microsecond=0)
    local = whole.isoformat() if offset == 0 else (whole + timedelta(minutes=offset)).isoformat()
    sign, minutes = "+" if offset >= 0 else "-", abs(offset)
    local = f"{local[:19]}{sign}{minutes // 60:02}:{minutes % 60:02}"
    seconds = int(whole.timestamp())
    written = [local, local.replace("T", " "), format_datetime(whole), f"{whole:%a %b %d %H:%M:%S +0000 %Y}"]
    written += [seconds * unit for unit in (1, 1000, 1_000_000, 1_000_000_000)]  # type: ignore[list-item]
    assert [seconds * 1000] * len(written) == [epoch_milliseconds(form) for form in written]


@given(st.text(max_size=40) | st.floats() | st.integers() | st.lists(st.integers(), max_size=8))
def test_nothing_raises(value: Any) -> None:
    found = epoch_milliseconds(value)
    assert found is None or isinstance(found, int)


@given(st.text(alphabet="0123456789-+:.,TZ /WdeJan", max_size=30))
def test_nothing_that_looks_like_a_time_raises(value: str) -> None:
    found = epoch_milliseconds(value)
    assert found is None or isinstance(found, int)
