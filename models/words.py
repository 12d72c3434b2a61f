"""The words of a caption, an alt text or class names."""

import unicodedata

from models.tokens import tokenize


def words_of(text: str) -> list[str]:
    """The words of a text, in order, without punctuation."""
    return [
        token.text for token in tokenize(text) if any(unicodedata.category(c)[0] in "LN" for c in token.text)
    ]
