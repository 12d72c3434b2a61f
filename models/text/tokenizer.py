"""From raw post text to tokens with offsets: words, hashtags, @handles, URLs, numbers, emoji, punctuation.

A token is a slice of the original text, `text[start:end]`, and beside it what that is read as (models/text/reading.py).
Tokenization follows the Twitter NER sets: a hashtag is one token; a possessive 's and each punctuation mark are
separate tokens. A word ends where its script does (UAX #24), as particles in kana, Hangul or Thai are written without
a space after a Latin name. Han is split into ideographs. Emoji and combining sequences stay whole, as grapheme
clusters.

Also extracts the words of captions, alt texts and class names.
"""

import unicodedata
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

import regex

from models.text.addresses import CASHTAG, EMAIL, HANDLE, HASHTAG, LISTS, NO_KEYCAP, NUMBER_TAG, SCHEME, URL
from models.text.names import POSSESSIVE_NAMES, is_compound
from models.text.reading import LINE_ENDS, Reading, read

LINE_END_READ = ","
"""What a model reads for the end of a line, as its training data has none. On lists of 3 to 6 names, one a line, the
shipped checkpoint has 92.1 F1 with it, 89.5 with `;`, 85.4 with `.`, 81.9 with an unknown token; on validation posts
joined by line ends (3 each), 72.8, 73.3, 72.5 and 72.5."""


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    """Words, numbers and punctuation."""
    URL = auto()
    EMAIL = auto()
    HANDLE = auto()
    HASHTAG = auto()
    NUMBER_TAG = auto()
    """`#` before a number: not a hashtag."""
    CASHTAG = auto()
    EMOJI = auto()
    COMPOUND = auto()
    """A hyphenated word that is not a name: `Toronto-based`."""
    LINE_END = auto()
    """The end of a line that is not the text's last."""


_SPACED = (
    *(
        "Latin",
        "Cyrillic",
        "Greek",
        "Arabic",
        "Hebrew",
        "Hangul",
        "Devanagari",
        "Bengali",
        "Armenian",
        "Georgian",
    ),
    *(
        "Gurmukhi",
        "Gujarati",
        "Oriya",
        "Tamil",
        "Telugu",
        "Kannada",
        "Malayalam",
        "Sinhala",
        "Ethiopic",
        "Syriac",
    ),
    *("Thaana", "Mongolian", "Cherokee", "Canadian_Aboriginal", "Tifinagh", "Nko", "Adlam", "Coptic", "Vai"),
)
"""Scripts with spaces between words, or whose digits belong to a word: `iPhone15`."""
_UNSPACED = (
    "Hiragana",
    "Katakana",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Tibetan",
    "Bopomofo",
    "Yi",
    "Javanese",
)
_SHARED = {"Latin": "µ", "Arabic": "\u0640"}
"""Letters that Unicode gives to no script, by the one that they are written in."""
_KNOWN = "".join(rf"\p{{{script}}}" for script in (*_SPACED, *_UNSPACED))
_CLITIC = r"['’](?:s|m|d|t|re|ve|ll)(?![\p{Latin}\p{N}_])"
_INNER = r"\p{Mn}\p{Mc}\u0488\u0489\p{N}_\u200c\u200d"
_JOINT = rf"[-‐‑&](?=\w)(?!{SCHEME}|www\.)"
_WORD_END = rf"(?<!_){NO_KEYCAP}"


def _word(script: str) -> str:
    """Words of a script, with digits; also joined by an apostrophe, a hyphen or `&`."""
    letters = rf"\p{{{script}}}{_SHARED.get(script, '')}"
    run = rf"[{letters}{_INNER}]"
    return rf"(?:\p{{N}}[\p{{N}}_]*)?[{letters}]{run}*(?:(?:(?!{_CLITIC})['’]|{_JOINT}){run}+)*{_WORD_END}"


_WORDS = "|".join(
    [
        *map(_word, _SPACED),
        *(rf"[\p{{{script}}}\p{{M}}\u30fc\uff70]+" for script in _UNSPACED),
        rf"[{_INNER}]+(?:{_JOINT}[\p{{Latin}}{_INNER}]+)*{NO_KEYCAP}",
        rf"(?:(?![\p{{Han}}{_KNOWN}])[\p{{L}}{_INNER}])+",
    ]
)
_TOKEN = regex.compile(
    rf"""
      (?P<PLAIN>[a-z]+(?=[\s,!?;)"…]|[.:](?:\s|$)|$))   # most words: no alternative below would match more
    | (?P<LINE_END>\r\n|[{LINE_ENDS}])
    | (?P<URL>{URL})
    | (?P<EMAIL>{EMAIL})
    | (?P<HANDLE>{HANDLE})
    | (?P<HASHTAG>{HASHTAG})
    | (?P<NUMBER_TAG>{NUMBER_TAG})
    | (?P<CASHTAG>{CASHTAG})
    | (?P<EMOJI>
        \p{{RI}}{{1,2}}
      | (?![©®™](?!\ufe0f))(?=\p{{Extended_Pictographic}})\X
      | [\d\#*]?\ufe0f?\u20e3
      | \p{{Emoji_Modifier}}
      )
    | (?P<WORD>
        \p{{Han}}                                # no spaces to cut at: one ideograph
      | {_CLITIC}
      | [!-/:-@\[-^`{{-~“”…](?!\p{{M}})        # most punctuation marks
      | (?:\p{{L}}\.){{2,}}                      # U.S.
      | \d+(?:[.,:/]\d+)+                        # 3.5, 10:30
      | (?=\p{{L}}{{1,16}}['’]s)(?:{POSSESSIVE_NAMES})
      | {_WORDS}
      | (?!\s)\X                                 # any other mark
      )
    """,
    regex.VERBOSE | regex.IGNORECASE,
    **LISTS,
)


_KINDS = {"PLAIN": Kind.WORD} | {kind.name: kind for kind in Kind}


class Token(NamedTuple):
    """A token and its position, in code points of the text; `end` is exclusive."""

    text: str
    start: int
    end: int
    kind: Kind = Kind.WORD
    read: str | None = None
    """What it is read as; None: `text`."""

    @property
    def seen(self) -> str:
        """What the model reads."""
        return self.text if self.read is None else self.read


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, in order, without white space and invisible characters."""
    reading = read(text)
    found = list(_tokens(text if reading is None else reading.text))
    if reading is not None:
        found = list(_placed(found, text, reading))
    return _inner_line_ends(found) if any(token.kind is Kind.LINE_END for token in found) else found


def _tokens(text: str) -> Iterator[Token]:
    """The tokens of a text as read."""
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        word, kind = text[start:end], _KINDS[match.lastgroup]
        if kind is Kind.WORD and is_compound(word):
            kind = Kind.COMPOUND
        yield Token(word, start, end, kind, LINE_END_READ if kind is Kind.LINE_END else None)


def _placed(tokens: list[Token], text: str, reading: Reading) -> Iterator[Token]:
    """Tokens of a text as read, at their place in the original."""
    position = 0
    for token in tokens:
        start, end = reading.starts[token.start], reading.ends[token.end - 1]
        if start >= position:  # else it is read from the same character or entity as the one before
            yield Token(text[start:end], start, end, token.kind, token.seen)
            position = end


def _inner_line_ends(tokens: list[Token]) -> list[Token]:
    """Without line ends at the start and the end, and without those after another."""
    kept: list[Token] = []
    for token in tokens:
        if token.kind is not Kind.LINE_END or (kept and kept[-1].kind is not Kind.LINE_END):
            kept.append(token)
    return kept[:-1] if kept and kept[-1].kind is Kind.LINE_END else kept


def hashtags_in(tokens: list[str]) -> list[str]:
    """The hashtags among tokens, without `#`; `#`, `NBA` (Twitter-2017's spelling) counts too, a number does not."""
    found = []
    for position, token in enumerate(tokens):
        if token[:1] in ("#", "＃"):
            following = tokens[position + 1] if position + 1 < len(tokens) else ""
            name = token[1:] or (following if following[:1].isalnum() else "")
            if any(character.isalpha() for character in name):
                found.append(name)
    return found


def words_of(text: str) -> list[str]:
    """The words of a text, in order, without punctuation."""
    return [
        token.seen for token in tokenize(text) if any(unicodedata.category(c)[0] in "LN" for c in token.seen)
    ]
