"""Mentions of one thing have one canonical form, whatever marks they were written with."""

import pytest

from models.text.canonical import canonical


@pytest.mark.parametrize(
    ("mention", "expected"),
    [
        ("#TorontoMapleLeafs", "toronto maple leafs"),
        ("Toronto  Maple\nLeafs", "toronto maple leafs"),
        ("# NBA", "nba"),
        ("##NBA", "nba"),
        ("＃NBA", "nba"),
        ("@ann", "ann"),
        ("ＮＢＡ", "nba"),
        ("Straße", "strasse"),
        ("#", "#"),
    ],
)
def test_canonical(mention: str, expected: str) -> None:
    words = {"TorontoMapleLeafs": "Toronto Maple Leafs"}
    assert expected == canonical(mention, lambda hashtag: words.get(hashtag, hashtag))
