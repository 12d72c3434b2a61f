"""The tokenizer cuts as the Twitter sets do, and never loses where a token stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.tokenizer import hashtags_in, tokenize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @JayKenMinaj: hi", ["RT", "@JayKenMinaj", ":", "hi"]),
        ("Toronto's #MapleLeafs", ["Toronto", "'s", "#MapleLeafs"]),
        ("O'Brien, AT&T &amp; U.S.", ["O'Brien", ",", "AT&T", "&amp;", "U.S."]),
        ("see https://t.co/a?b=1 !", ["see", "https://t.co/a?b=1", "!"]),
        ("# NBA at 10:30", ["#", "NBA", "at", "10:30"]),
        ("love 👨‍👩‍👧🇨🇦!", ["love", "👨‍👩‍👧", "🇨🇦", "!"]),
        ("e\u0301te\u0301 नमस्ते", ["e\u0301te\u0301", "नमस्ते"]),
        ("東京 2020", ["東", "京", "2020"]),
        (" \n\t", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert expected == [token.text for token in tokenize(text)]


@given(st.text(max_size=60))
def test_tokens_are_slices_of_the_text_in_order_and_leave_only_white_space(text: str) -> None:
    position, gaps = 0, ""
    for token in tokenize(text):
        assert text[token.start : token.end] == token.text != ""
        gaps += text[position : token.start]
        position = token.end
    assert (gaps + text[position:]).strip() == ""


def test_hashtags_in_both_spellings() -> None:
    """Twitter-2015 writes `#NBA`, Twitter-2017 `#`, `NBA`."""
    assert ["Riga", "NBA"] == hashtags_in(["#Riga", "#", "NBA", "#", ":", "#"])
