"""How a post's text is read: without invisible characters, with HTML entities and compatibility letters resolved.

The tokenizer works on the text as read. Each of its characters knows the original characters that it stands for, so
that offsets always refer to the original text.

- Invisible: Unicode's default ignorable code points, and control characters that are not white space. Those inside an
  emoji sequence stay.
- HTML entities: as `html.unescape` reads them, escaped once or more often.
- Compatibility letters and digits: by Unicode's decompositions (UAX #15) and names, one character at a time. Not `™`,
  `²` and the like, which do not stand for a letter of the word before them.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import regex

LINE_ENDS = "\n\v\f\r\x85\u2028\u2029"
"""Characters that end a line (UAX #14: BK, CR, LF, NL)."""
_RANGES = (
    (0x0250, 0x02FF),  # IPA: small capitals; modifier letters
    (0x1D00, 0x1DBF),  # phonetic extensions
    (0x2070, 0x209F),
    (0x2100, 0x214F),  # letterlike
    (0x2460, 0x24FF),  # enclosed
    (0x2C60, 0x2C7F),
    (0x3000, 0x3000),
    (0xA720, 0xA7FF),
    (0xFB00, 0xFB06),  # ligatures
    (0xFE10, 0xFE6F),  # vertical and small forms
    (0xFF00, 0xFFEF),  # full and half width
    (0x1CCD6, 0x1CCF9),  # outlined
    (0x1D400, 0x1D7FF),  # mathematical
    (0x1F100, 0x1F189),  # enclosed
)
"""Where Unicode has compatibility characters for letters."""
_KINDS = ("font", "wide", "narrow", "circle", "square", "small", "vertical")
"""Decompositions that only change a character's looks."""
_LETTER_NAME = re.compile(
    r"(?:.*(?:CIRCLED|SQUARED|PARENTHESIZED|OUTLINED) )?LATIN (?:LETTER (SMALL) CAPITAL|(SMALL|CAPITAL) LETTER) ([A-Z])"
)


def _plain(character: str) -> str:
    """What a compatibility character is read as; itself, if it is none."""
    kind, _, _ = unicodedata.decomposition(character).partition(" ")
    folded = unicodedata.normalize("NFKC", character)
    if kind.strip("<>") in _KINDS and len(folded) == 1:
        return folded
    letters = all(unicodedata.category(each)[0] == "L" for each in folded)
    if unicodedata.category(character)[0] == "L" and folded != character and letters:
        return folded if kind == "<compat>" or unicodedata.category(character) == "Lm" else character
    named = _LETTER_NAME.fullmatch(unicodedata.name(character, "").removeprefix("NEGATIVE "))
    if named is None or character.isascii():
        return character
    return named[3].lower() if "SMALL" in (named[1], named[2]) else named[3]


_APOSTROPHES = {"\u02bb": "’", "\u02bc": "’"}
"""Modifier letters that are typed as apostrophes: Hawaiʻi, Oʼahu."""
_COMPATIBLE = (
    {
        character: plain
        for first, last in _RANGES
        for character in map(chr, range(first, last + 1))
        if (plain := _plain(character)) != character
    }
    | dict.fromkeys("\x1c\x1d\x1e\x1f\u2800", " ")
    | _APOSTROPHES
)
_SMALL_CAPITALS = "".join(
    character for character in _COMPATIBLE if "SMALL CAPITAL" in unicodedata.name(character, "")
)
_BORROWED = {"ғ": "f", "ǫ": "q"}
"""Letters of other alphabets that stand in for small capitals which Unicode lacks."""

_NAMED = r"(?:amp|lt|gt|quot|nbsp|copy|reg|shy|laquo|raquo)(?![A-Za-z0-9=;])"
_CONTROL = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufff9-\ufffb"
_COMPATIBLE_CLASS = "[" + "".join(map(re.escape, _COMPATIBLE)) + "]"
_SPECIAL = regex.compile(
    rf"""
      (?P<emoji>\p{{RI}}{{1,2}}|(?!{_COMPATIBLE_CLASS}(?!\ufe0f))(?=\p{{Extended_Pictographic}})\X|[\d\#*]\ufe0f?\u20e3)
    | (?P<invisible>[\p{{Default_Ignorable_Code_Point}}{_CONTROL}]+)
    | (?P<entity>&(?:amp;)*(?:\#(?:\d{{1,7}}|[xX][0-9a-fA-F]{{1,6}});?|[A-Za-z][A-Za-z0-9]{{1,31}};|{_NAMED}))
    | (?P<compatible>{_COMPATIBLE_CLASS})
    | (?P<borrowed>(?<=[{_SMALL_CAPITALS}])[ғǫ]|[ғǫ](?=[{_SMALL_CAPITALS}]))
    """,
    regex.VERBOSE,
)
_INVISIBLE = regex.compile(rf"[\p{{Default_Ignorable_Code_Point}}{_CONTROL}]+")
_ESCAPED_AGAIN = re.compile("&(?:amp;)+(?=.)")
_PLAIN = re.compile(r"[^&\x00-\x08\x0e-\x1f\x7f]*")
"""ASCII that is read as it is."""


class Reading(NamedTuple):
    """A text as read: `starts[i]` and `ends[i]` are the original characters that its character i stands for."""

    text: str
    starts: list[int]
    ends: list[int]


def read(text: str) -> Reading | None:
    """How `text` is read; None if as it is."""
    if (text.isascii() and _PLAIN.fullmatch(text)) or not _SPECIAL.search(text):
        return None
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for piece, start, end in _pieces(text):
        pieces.append(piece)
        if len(piece) == end - start:  # one for one
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
        else:
            starts.extend([start] * len(piece))
            ends.extend([end] * len(piece))
    return Reading("".join(pieces), starts, ends)


def _pieces(text: str) -> Iterator[tuple[str, int, int]]:
    """What is read, and the original characters [start, end) that it stands for."""
    position = 0
    for match in _SPECIAL.finditer(text):
        start, end = match.span()
        if position < start:
            yield text[position:start], position, start
        if seen := _seen(match.lastgroup or "", match.group()):
            yield seen, start, end
        position = end
    if position < len(text):
        yield text[position:], position, len(text)


def _seen(kind: str, found: str) -> str:
    """What a special part of a text is read as."""
    match kind:
        case "compatible":
            return _COMPATIBLE[found]
        case "entity":
            return _unescaped(found)
        case "invisible":
            return ""
        case "borrowed":
            return _BORROWED[found]
    return found


def _unescaped(entity: str) -> str:
    """An entity's characters; an unknown one is read as it is."""
    entity = _ESCAPED_AGAIN.sub("&", entity)
    while (seen := html.unescape(entity)) != entity:
        entity = seen
    plain = "".join(_COMPATIBLE.get(character, character) for character in seen)
    return str(_INVISIBLE.sub("", plain))
