"""Tokens to ids: word table, characters, and the word pieces of the transformer's views; windows over long posts.

What a token looks like to the transformer: URLs all read `http`, HTML entities their character, and a hashtag's or
mention's pieces begin behind the mark. Its characters are always its own.
"""

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer
from torch import Tensor

from models.batch import Encoded
from models.encoders import VIEWS
from models.errors import PretrainedError
from models.pretrained import load_wordpieces

PAD, UNKNOWN = 0, 1
MAX_TOKEN_PIECES = 8
MAX_WINDOW_PIECES = 160
"""Pieces of text in one window: with image and hashtag words, a row stays under 256."""
WINDOW_OVERLAP = 24
"""Tokens that neighbouring windows share, so that no entity is cut by a border that both see as one."""
MAX_CONTEXT_WORDS, MAX_CONTEXT_PIECES = 40, 48
"""Image words, and hashtag words, that are read, and pieces of them."""
MAX_PIECED = 200
"""Characters of a token that are cut into pieces: more than its first pieces are never read."""
MAX_REMEMBERED = 64
"""Characters of a token over which its pieces are not remembered: strangers choose the keys."""


@dataclass(frozen=True)
class Vocabulary:
    """Known entries; ids are 2 and up, 0 is padding and 1 whatever is unknown."""

    entries: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.entries) + 2

    @classmethod
    def of(cls, counted: Iterable[str], least: int) -> "Vocabulary":
        """What occurs at least `least` times, most frequent first (ties by name)."""
        counts = Counter(counted)
        kept = (entry for entry, count in counts.items() if count >= least)
        return cls(tuple(sorted(kept, key=lambda entry: (-counts[entry], entry))))


@dataclass(frozen=True, slots=True)
class TokenIds:
    """The ids of n tokens, before they are laid out in rows."""

    words: list[int]
    characters: list[list[int]]
    pieces: list[list[int]]
    """n lists of word pieces; all empty without a transformer."""
    marks: list[int]
    """Pieces of a token before its first real one: 1 behind `#` and `@`, else 0."""

    def __getitem__(self, window: slice) -> "TokenIds":
        return TokenIds(self.words[window], self.characters[window], self.pieces[window], self.marks[window])


class PostEncoder:
    """Turns tokens into what TriMod reads. Thread-safe: nothing changes after construction but caches."""

    def __init__(
        self, words: Vocabulary, characters: Vocabulary, text_encoder: str, max_characters: int
    ) -> None:
        self.max_characters = max_characters
        self._words = {word: index for index, word in enumerate(words.entries, start=2)}
        self._characters = {character: index for index, character in enumerate(characters.entries, start=2)}
        self._wordpieces: Tokenizer | None = load_wordpieces(text_encoder) if text_encoder else None
        if self._wordpieces is not None:
            self._cls, self._sep, self._unk = map(self._special, ("[CLS]", "[SEP]", "[UNK]"))
        self._pieces = lru_cache(maxsize=100_000)(self._pieces_of)

    def _special(self, token: str) -> int:
        found = self._wordpieces.token_to_id(token) if self._wordpieces else None
        if found is None:
            raise PretrainedError(f"the text encoder's tokenizer has no {token}")
        return found

    def _token_pieces(self, token: str) -> list[int]:
        if self._wordpieces is None:
            return []
        if token.startswith(("http://", "https://", "www.")):
            token = "http"
        return self._pieces(token) if len(token) <= MAX_REMEMBERED else self._pieces_of(token)

    def _pieces_of(self, token: str) -> list[int]:
        assert self._wordpieces is not None
        seen = html.unescape(token).encode("utf-8", "replace").decode()  # lone surrogates are no text
        ids = self._wordpieces.encode(seen[:MAX_PIECED], add_special_tokens=False).ids[:MAX_TOKEN_PIECES]
        return ids or [self._unk]

    def token_ids(self, tokens: Sequence[str]) -> TokenIds:
        """The ids of `tokens`, one list entry each."""
        pieces = [self._token_pieces(token) for token in tokens]
        return TokenIds(
            words=[self._words.get(token.lower(), UNKNOWN) for token in tokens],
            characters=[
                [self._characters.get(character, UNKNOWN) for character in token[: self.max_characters]]
                for token in tokens
            ],
            pieces=pieces,
            marks=[
                int(token[:1] in "#＃@＠" and len(ids) > 1) for token, ids in zip(tokens, pieces, strict=True)
            ],
        )

    def encode(
        self,
        tokens: TokenIds,
        image_words: Sequence[str] = (),
        hashtag_words: Sequence[str] = (),
        pooled: Tensor | None = None,
        tags: list[int] | None = None,
    ) -> Encoded:
        """Lay out one window of at least one token with its image's and its hashtags' words."""
        image_words, hashtag_words = image_words[:MAX_CONTEXT_WORDS], hashtag_words[:MAX_CONTEXT_WORDS]
        encoded = Encoded(tokens.words, tokens.characters, [], [], 0, [], pooled=pooled, tags=tags)
        encoded.image_words = [self._words.get(word.lower(), UNKNOWN) for word in image_words]
        encoded.hashtag_words = [self._words.get(word.lower(), UNKNOWN) for word in hashtag_words]
        if self._wordpieces is not None:
            self._lay_out(encoded, tokens, image_words, hashtag_words)
        return encoded

    def _lay_out(
        self, encoded: Encoded, tokens: TokenIds, image_words: Sequence[str], hashtag_words: Sequence[str]
    ) -> None:
        row = [self._cls]
        for pieces, mark in zip(tokens.pieces, tokens.marks, strict=True):
            encoded.first_piece.append(len(row) + mark)
            row.extend(pieces)
        row.append(self._sep)
        encoded.segment_start = len(row)
        for view, words in zip(range(len(VIEWS)), ((), image_words, hashtag_words), strict=True):
            if view == 0 or words:
                context = [piece for word in words for piece in self._token_pieces(word)][:MAX_CONTEXT_PIECES]
                encoded.pieces.append([*row, *context, self._sep] if words else row)
                encoded.views.append(view)


def windows(tokens: TokenIds) -> list[tuple[int, int]]:
    """Overlapping windows [start, end) over the tokens, of at most MAX_WINDOW_PIECES pieces; one for most posts."""
    costs = [max(1, len(pieces)) for pieces in tokens.pieces]
    found, start = [], 0
    while True:
        end, budget = start, MAX_WINDOW_PIECES
        while end < len(costs) and costs[end] <= budget:
            budget -= costs[end]
            end += 1
        found.append((start, end))
        if end == len(costs):
            return found
        # A window of few, costly tokens must still move on.
        start = max(start + 1, end - min(WINDOW_OVERLAP, (end - start) // 2))
