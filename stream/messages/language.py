"""Which posts are in a language that the worker tags (`worker.languages`).

A post's own `lang` decides. Without it, py3langid decides, whose model is in its package. It must be sure, because a
post that is skipped by mistake is lost. A post that is tagged by mistake costs time, and perhaps a false mention. So a
text is skipped only if:

- one language that is not wanted has at least the probability SURE,
- all wanted languages together have less than UNLIKELY,
- it has at least MIN_LETTERS letters without handles, hashtags and URLs.

A post in several languages is therefore tagged if a considerable part of it is in a wanted one.

Measured with `worker.languages = ["en"]` on 36,838 tweets of six English data sets (Twitter-2015, Twitter-2017,
WNUT-17, BTC, MVSA, 12,000 of tweets.txt): 343 are skipped. All but 3 of them ("Ha ha ha", "OMFG HAHAHA") are wholly
or partly in other languages. 280 of the 328 tweets are skipped that three detectors agree are not in English. Of
2,080 interface texts of Django in 25 languages, 96 % are skipped; of 213 short example sentences of spaCy, 90 %.
"""

from functools import cache
from typing import Any

import regex

from models.posts.post_json import Post
from stream.config.languages import ANY, codes

SURE = 0.4
"""Probability of the likeliest language that is not wanted, from which a text is in that language."""
UNLIKELY = 0.005
"""Probability of all wanted languages, below which a text is in none of them."""
MIN_LETTERS = 12
"""Letters that a text needs, where a letter of a script other than Latin counts twice, and Han, kana and Hangul three
times."""
MAX_CHARACTERS = 500
"""Characters that are read: enough to tell, and it bounds the time (0.2 ms for a tweet, at most 1 ms)."""
NO_EVIDENCE = frozenset(("zxx", "pcm"))
"""Labels that never count against a text: "not a language", and Nigerian Pidgin, as which English slang is seen."""

_NOT_PROSE = regex.compile(
    r"(?:https?://|www\.)\S++|[@#＠＃]\s?[\w.@-]++|&#?\w++;|\bRT\b|"
    r"(?<![\w.+-])[\w.+-]++@[\w.-]++|(?<![\w.-])[\w-]++(?:\.[\w-]++)++(?:/\S*+)?"
)
"""URLs, handles and hashtags (also with a space, as in tokenized data), HTML entities, the mark of a retweet, e-mail
addresses, and domains. It does not backtrack: any text takes linear time."""
_NOT_LETTERS = regex.compile(r"[^\p{L}\p{M}'’]+")
_LETTER = regex.compile(r"\p{L}")
_NOT_LATIN = regex.compile(r"(?=\p{L})\P{Latin}")
_EAST_ASIAN = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")


class LanguageFilter:
    """Tells posts in the languages of the setting from others. The first one in a process loads the detector."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        """Raises OSError if the detector's model is missing."""
        self._wanted = frozenset(languages)
        self._all = ANY in self._wanted
        labels = () if self._all else _detector().labels
        self._labels = frozenset(label for label in labels if codes(label) & self._wanted)

    def wants(self, post: Post) -> bool:
        """Whether the post is in one of the languages, or in one that is not known for sure."""
        if self._all:
            return True
        tagged_as = codes(post.lang or "")
        return bool(tagged_as & self._wanted) if tagged_as else not self._is_foreign(post.text)

    def _is_foreign(self, text: str) -> bool:
        text = prose(text)
        if _weight(text) < MIN_LETTERS:
            return False
        wanted = other = 0.0
        for label, probability in _detector().rank(text):
            if label in self._labels:
                wanted += probability
            elif label not in NO_EVIDENCE:
                other = max(other, probability)
        return other >= SURE and wanted < UNLIKELY


def prose(text: str) -> str:
    """The beginning of the text without what is the same in all languages: URLs, handles, hashtags, emoji."""
    text = _NOT_PROSE.sub(" ", text[: 4 * MAX_CHARACTERS])
    letters: str = _NOT_LETTERS.sub(" ", text)
    return letters.strip()[:MAX_CHARACTERS]


def _weight(text: str) -> int:
    return sum(len(pattern.findall(text)) for pattern in (_LETTER, _NOT_LATIN, _EAST_ASIAN))


@cache
def _detector() -> Any:
    """py3langid's identifier: about 60 MB beside a tagger, loaded in one second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
