"""The canonical form: the key under which mentions of one name are counted together, and the form to show for it.

The key has only letters and digits, so that spelling variants and hashtags meet: `St. Louis` and `#StLouis`,
`Coca‑Cola` and `#CocaCola`, `O’Brien` and `O&#39;Brien`. It depends on no checkpoint. Linking names that differ (`NYC`,
`New York`) is not done here.

- Compatibility letters (NFKC, small capitals, squared letters), case and digits of all scripts are folded.
- Latin and Greek letters lose their diacritics, because hashtags and capitals often do: `São Paulo` and `#SaoPaulo`,
  `Αθήνα` and `ΑΘΗΝΑ`, `İstanbul` and `Istanbul`. Of Cyrillic, only stress marks and the dots of `ё` go.
- In every other script, marks are part of the word and stay: vowel signs, tones, Arabic hamza.
- Symbols that carry the name are spelled out as in hashtags: `C++` (cplusplus), `C#` (csharp), `.NET` (dotnet),
  `Disney+` (disneyplus), `A$AP` (asap), `P!nk` (pink).

docs/architecture.md lists the names that meet although they differ.
"""

import html
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import regex

LONGEST_SURFACE = 120
"""Code points of a form that is shown; a longer one is cut."""

_ENTITY = regex.compile(
    r"&(?:\#\d{1,7};?|\#[xX][0-9a-fA-F]{1,6};?|\w{2,31};|(?:amp|lt|gt|quot|nbsp)(?![\w;=]))"
)
_ESCAPES = 3
"""Times that a text may have been escaped."""
_JOINERS = "\u200c\u200d"
"""Zero-width joiner and non-joiner: letters of Arabic and Indic scripts look wrong without them."""
_INVISIBLE = regex.compile(rf"(?V1)[[\p{{Default_Ignorable_Code_Point}}\p{{Cc}}\p{{Cf}}]--[{_JOINERS}]]")
_IDLE_JOINER = regex.compile(
    rf"(?V1)(?<![\p{{M}}[\p{{L}}--\p{{Latin}}]])[{_JOINERS}]|[{_JOINERS}](?![\p{{M}}[\p{{L}}--\p{{Latin}}]])"
)
_UNFOLDED = regex.compile(
    r"[\p{Sk}™℠\u02b9-\u02df\u02ec-\u02ff\u0640\u07f4\u07f5\u07fa\ua78b\ua78c\ufdfa\ufdfb]"
)
"""Characters that are not part of a name, but are letters or would be folded into letters: apostrophes, accents that
stand alone, trade marks, Arabic stretching and honorifics."""
_DIACRITICS = regex.compile(r"(?<=[\p{Latin}\p{Greek}])\p{Mn}+")
_STRESS = regex.compile(r"[\u0300-\u036f\u20d0-\u20ff]+")
"""Combining marks that no letter outside Latin and Greek is made of, once composed."""
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "ё": "е",
    }
)
"""Letters that Unicode does not decompose, by their spelling without diacritics."""
_DIGIT = regex.compile(r"(?V1)[\p{N}--[0-9]]")
_SPELLED = (
    (regex.compile(r"(?<=[\p{L}\p{N}])(\+++)(?!\p{L})"), "plus"),  # C++, Disney+, C++11; not A+E
    (regex.compile(r"(?<!\S)(\+)(?=\p{N})"), "plus"),  # +44
    (regex.compile(r"(?<![\p{L}\p{N}]\p{L}|\p{N})(?<=\p{Latin})([#♯])(?![\p{L}\p{N}])"), "sharp"),  # C#
    (regex.compile(r"(?<!\S)(\.)(?=net(?![\p{L}\p{N}]))"), "dot"),
    (regex.compile(r"(?<=[b-df-hj-np-tv-xz])(!)(?=[b-df-hj-np-tv-xz])"), "i"),  # P!nk; not Yahoo!
    (
        regex.compile(r"(?<!^)(\$)(?=\p{L})|^(\$)(?=\p{L}{7}|\p{L}+\P{L})"),
        "s",
    ),  # A$AP, Dolla $ign; no cashtag
    (regex.compile(r"(?<=\p{L}{3}|\p{L}\$)(\$)(?!\p{N})"), "s"),  # Vega$, Bada$$; not US$
)
"""Symbols that are a part of a name, and how hashtags spell them."""
_ORPHANS = regex.compile(r"(?<![\p{L}\p{M}\p{N}])\p{M}+")
_UNCOUNTED = regex.compile(r"[^\p{L}\p{M}\p{N}]|\p{Me}")


@lru_cache(maxsize=1 << 14)
def canonical(mention: str) -> str:
    """The key under which `mention` is counted: letters and digits. A mention without any is its own key."""
    text = _ORPHANS.sub("", _folded(_folded(_read(mention))))  # folding may yield what folds further: ŉ, ẚ
    for pattern, word in _SPELLED:
        text = pattern.sub(lambda found, word=word: word * len(found[0]), text)
    return unicodedata.normalize("NFC", _UNCOUNTED.sub("", text)) or _read(mention) or mention


def surface(mention: str) -> str:
    """The form of `mention` to show: on one line, HTML entities resolved, without invisible characters, and cut to
    LONGEST_SURFACE."""
    shown = _read(mention) or mention
    return shown if len(shown) <= LONGEST_SURFACE else f"{shown[: LONGEST_SURFACE - 1]}…"


def _read(mention: str) -> str:
    """`mention` as it is read, which may be empty."""
    text = mention
    for _ in range(_ESCAPES):
        if text == (text := _ENTITY.sub(lambda found: html.unescape(found[0]), text)):
            break
    text = _IDLE_JOINER.sub("", _INVISIBLE.sub("", " ".join(text.split())))
    return " ".join(text.split())


def _folded(text: str) -> str:
    text = _UNFOLDED.sub("", text).translate(_STYLED)
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _DIACRITICS.sub("", unicodedata.normalize("NFKD", text)).translate(_LETTERS)
    text = _STRESS.sub("", unicodedata.normalize("NFKC", text)).translate(_LETTERS)
    folded: str = _DIGIT.sub(lambda found: str(unicodedata.digit(found[0], found[0])), text)
    return folded


def _styled() -> Iterator[tuple[int, str]]:
    """Small capitals and squared letters, which NFKC leaves alone."""
    for first, last in ((0x0250, 0x02AF), (0x1D00, 0x1D7F), (0xA730, 0xA7FF), (0x1F150, 0x1F189)):
        for number in range(first, last + 1):
            *kind, letter = unicodedata.name(chr(number), "?").split()
            if len(letter) == 1 and ("CAPITAL" in kind and ("SMALL" in kind or "NEGATIVE" in kind)):
                yield number, letter


_STYLED = dict(_styled())
