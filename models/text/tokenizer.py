"""From raw post text to tokens with offsets: words, hashtags, @mentions, URLs, numbers, emoji, punctuation.

Tokens never change a character, so `text[start:end]` is always the token. Tokenization follows the Twitter NER sets: a
hashtag is one token; a possessive 's and each punctuation mark are separate tokens. Scripts without spaces are split
into ideographs, not words. Emoji and combining sequences stay whole, as grapheme clusters.

Also extracts the words of captions, alt texts and class names.
"""

import unicodedata
from typing import NamedTuple

import regex

_WORD = r"[\w\p{M}\u200c\u200d]"
_TOKEN = regex.compile(
    rf"""
      (?:https?://|www\.)\S+                     # URL
    | &(?:amp|lt|gt|quot|\#39);                  # an HTML entity that a feed left in
    | [\#＃@＠](?=\w){_WORD}+                    # hashtag, mention
    | \p{{Han}}                                  # no spaces to cut at: one ideograph
    | ['’](?:s|m|d|t|re|ve|ll)\b                 # clitic
    | (?:\p{{L}}\.){{2,}}                        # U.S.
    | \d+(?:[.,:/]\d+)+                          # 3.5, 10:30
    | (?:(?!\p{{Han}}){_WORD})+(?:(?:['’](?!(?:s|m|d|t|re|ve|ll)\b)|[-‐&](?=\w))(?:(?!\p{{Han}}){_WORD})+)*
    | (?!\s)\X                                   # one punctuation mark, one emoji with its modifiers
    """,
    regex.VERBOSE | regex.IGNORECASE,
)


class Token(NamedTuple):
    """A token and its position, in code points of the text; `end` is exclusive."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, in order, without white space."""
    return [Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def hashtags_in(tokens: list[str]) -> list[str]:
    """The hashtags among tokens, without `#`; `#`, `NBA` (Twitter-2017's spelling) counts too."""
    found = []
    for position, token in enumerate(tokens):
        if token[:1] in ("#", "＃"):
            following = tokens[position + 1] if position + 1 < len(tokens) else ""
            name = token[1:] or (following if following[:1].isalnum() else "")
            if name:
                found.append(name)
    return found


def words_of(text: str) -> list[str]:
    """The words of a text, in order, without punctuation."""
    return [
        token.text for token in tokenize(text) if any(unicodedata.category(c)[0] in "LN" for c in token.text)
    ]
