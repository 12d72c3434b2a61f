"""Spans of time as people type them."""

import pytest

from stream.cli.options import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("1.5H", 5400), ("7d", 604800)]
)
def test_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds == parse_duration(text)


@pytest.mark.parametrize("text", ["", "1", "h", "0m", "-1h", "1w", "1h30m", "1 e3s"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid duration .*: use a number and s, m, h or d"):
        parse_duration(text)
