"""Borders between names that stand side by side without a comma, where the model reads them as one.

A list of countries or of cities (`Syria Palestine Mali`), and a place before the person who holds office there
(`Mayor of London Sadiq Khan`, `London Mayor Sadiq Khan`). Knows only the offices below and the places of
models/text/names.py.
"""

from collections.abc import Sequence

from models.core.labels import Span
from models.text.names import CITIES, COUNTRIES, PLACES

OFFICES = frozenset(
    """ambassador archbishop bishop captain chancellor chief coach commissioner director duchess duke emir governor
    head king leader manager mayor minister pm premier president prince princess queen secretary senator sheriff
    sultan""".split()  # noqa: SIM905
)
LONGEST_PLACE = 3
"""Words of the longest name of a place."""


def split_names(span: Span, words: Sequence[str]) -> list[Span]:
    """The names in `span` over the `words` of a post; mostly `span` itself. Words of an office are in none of them."""
    if span.end - span.start < 2:
        return [span]
    folded = [word.casefold() for word in words]
    if span.type == "PER":
        return _holder(span, folded)
    return _list(span, folded) if span.type in ("LOC", "ORG") else [span]


def _list(span: Span, words: Sequence[str]) -> list[Span]:
    """Each place of a list that has nothing else in it. Two of different kinds are one: `Paris France`."""
    found: list[Span] = []
    position = span.start
    while position < span.end:
        end = _place_end(words, position, span.end)
        if end == position:
            return [span]
        found.append(Span(position, end, span.type))
        position = end
    names = {" ".join(words[place.start : place.end]) for place in found}
    return found if len(found) > 2 or names <= COUNTRIES or names <= CITIES else [span]


def _holder(span: Span, words: Sequence[str]) -> list[Span]:
    """The place and the person who holds office there."""
    end = _place_end(words, span.start, span.end - 1)
    if end == span.start:
        return [span]
    of_office = span.start >= 2 and words[span.start - 1] == "of" and words[span.start - 2] in OFFICES
    person = end + (words[end] in OFFICES)
    if not (of_office or person > end) or person >= span.end:
        return [span]
    return [Span(span.start, end, "LOC"), Span(person, span.end, "PER")]


def _place_end(words: Sequence[str], start: int, limit: int) -> int:
    """The end of the longest name of a place at `start`; `start` if there is none."""
    for end in range(min(limit, start + LONGEST_PLACE), start, -1):
        if " ".join(words[start:end]) in PLACES:
            return end
    return start
