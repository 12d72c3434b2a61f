"""Names side by side without a comma are told apart where the places and offices are known."""

import pytest

from models.core.labels import Span
from models.inference.borders import split_names


@pytest.mark.parametrize(
    ("words", "type_", "expected"),
    [
        ("Syria Palestine Mali", "LOC", ["LOC Syria", "LOC Palestine", "LOC Mali"]),
        ("South Africa New Zealand", "LOC", ["LOC South Africa", "LOC New Zealand"]),
        ("London Paris New York", "LOC", ["LOC London", "LOC Paris", "LOC New York"]),
        ("Guinea Bissau", "LOC", ["LOC Guinea Bissau"]),
        ("Paris France", "LOC", ["LOC Paris France"]),
        ("Manchester United", "ORG", ["ORG Manchester United"]),
        ("London", "LOC", ["LOC London"]),
        ("Mayor of | London Sadiq Khan", "PER", ["LOC London", "PER Sadiq Khan"]),
        ("King of | Saudi Arabia Salman", "PER", ["LOC Saudi Arabia", "PER Salman"]),
        ("photo of | Paris Hilton", "PER", ["PER Paris Hilton"]),
        ("London Mayor Sadiq Khan", "PER", ["LOC London", "PER Sadiq Khan"]),
        ("Israel", "PER", ["PER Israel"]),
        ("London Mayor", "PER", ["PER London Mayor"]),
    ],
)
def test_split_names(words: str, type_: str, expected: list[str]) -> None:
    before, _, name = words.rpartition(" | ")
    read = [*before.split(), *name.split()]
    found = split_names(Span(len(before.split()), len(read), type_), read)
    assert expected == [f"{each.type} {' '.join(read[each.start : each.end])}" for each in found]
