"""The canonical form, under which mentions of the same entity are counted together.

NFKC, case-folded, spaces collapsed, without `#` or `@`, a hashtag segmented into its words: `#TorontoMapleLeafs`
and `Toronto Maple Leafs` count as one. Linking names that differ (`NYC`, `New York`) is not done here.
"""

import unicodedata
from collections.abc import Callable


def canonical(mention: str, segment: Callable[[str], str]) -> str:
    """The canonical form of `mention`; `segment` turns a hashtag without `#` into its words, space-separated."""
    words = (_unmark(word, segment) for word in mention.split())
    folded = unicodedata.normalize("NFKC", " ".join(words)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split()) or mention


def _unmark(word: str, segment: Callable[[str], str]) -> str:
    bare = word.lstrip("#＃@＠")
    return segment(bare) if bare and word[0] in "#＃" else bare
