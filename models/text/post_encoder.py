"""From tokens to ids: word table, characters, and the word pieces of the transformer's views.

For the transformer, every URL is `http`, HTML entities become their character, and the pieces of a hashtag or mention
begin after the mark. Characters are those of the token itself. The encoders are lower-case only, so the case of a token
(CASES) is given separately from its pieces.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

from tokenizers import Tokenizer

from models.core.batch import Encoded
from models.core.errors import PretrainedError
from models.core.inputs import Inputs
from models.core.visual_context import Pixels, noun_of
from models.text.part_of_speech import TAGS, PartOfSpeech, nouns
from models.text.pretrained import load_wordpieces, special_id
from models.text.vocabulary import SPECIAL, UNKNOWN, Vocabulary

MAX_TOKEN_PIECES = 8
MAX_HASHTAG_WORDS, MAX_CONTEXT_PIECES = 40, 48
"""Maximum hashtag words, and maximum pieces of hashtag words or of image words."""
CASES = ("lower", "Title", "UPPER", "mIxed")
FUNCTION_WORDS = frozenset(
    """a an the this that these those some any no and or but nor so if as at by for from in into of off on onto out
    over to up with without about above across after against along among around before behind below beneath beside
    between beyond down during inside near next under through is are was were be been being am do does did has have
    had having it its he him his she her hers they them their there here who which what while""".split()  # noqa: SIM905
)
"""English words that do not name anything in an image."""
MAX_PIECED = 200
"""Characters of a token that are split into pieces; only its first pieces are read."""
MAX_REMEMBERED = 64
"""Maximum characters of a token whose pieces are cached, because the cache keys are untrusted input."""
MAX_TOKENS_REMEMBERED = 100_000
"""Maximum number of tokens whose pieces are cached."""


@dataclass(frozen=True, slots=True)
class TokenIds:
    """The ids of n tokens, before they are laid out in rows."""

    words: list[int]
    characters: list[list[int]]
    pieces: list[list[int]]
    """n lists of word pieces; all empty without a transformer."""
    marks: list[int]
    """Pieces of a token before its first real one: 1 after `#` and `@`, otherwise 0."""
    cases: list[int]
    part_of_speech: list[int]
    """[n], or empty if the model does not read them."""

    def __getitem__(self, window: slice) -> "TokenIds":
        return TokenIds(*(getattr(self, item.name)[window] for item in fields(self)))


class PostEncoder:
    """Turns tokens into model input. Thread-safe: only caches change after construction."""

    def __init__(self, words: Vocabulary, characters: Vocabulary, inputs: Inputs) -> None:
        self.inputs = inputs
        self._words = {word: index for index, word in enumerate(words.entries, start=SPECIAL)}
        self._characters = {
            character: index for index, character in enumerate(characters.entries, start=SPECIAL)
        }
        self._wordpieces: Tokenizer | None = (
            load_wordpieces(inputs.text_encoder) if inputs.text_encoder else None
        )
        if self._wordpieces is not None:
            self._cls, self._sep = self._special("<s>", "[CLS]"), self._special("</s>", "[SEP]")
            self._unk = self._special("[UNK]")
        self._part_of_speech = PartOfSpeech() if inputs.part_of_speech else None
        self._pieces = lru_cache(maxsize=MAX_TOKENS_REMEMBERED)(self._pieces_of)

    @property
    def remembered(self) -> int:
        """Number of tokens whose pieces are cached."""
        return self._pieces.cache_info().currsize

    def _special(self, *names: str) -> int:
        """The id of the first of `names` that the tokenizer has: MPNet's has BERT's too, but was trained on its own."""
        assert self._wordpieces is not None
        found = special_id(self._wordpieces, names)
        if found is None:
            raise PretrainedError(f"the text encoder's tokenizer has no {' or '.join(names)}")
        return found

    def _token_pieces(self, token: str) -> list[int]:
        if self._wordpieces is None:
            return []
        if token.startswith(("http://", "https://", "www.")):
            token = "http"
        return self._pieces(token) if len(token) <= MAX_REMEMBERED else self._pieces_of(token)

    def _pieces_of(self, token: str) -> list[int]:
        assert self._wordpieces is not None
        head = html.unescape(token[:MAX_PIECED])  # cut first: it raises on `&#` with 4300 digits
        seen = head.encode("utf-8", "replace").decode()  # lone surrogates are no text
        ids = self._wordpieces.encode(seen, add_special_tokens=False).ids[:MAX_TOKEN_PIECES]
        return ids or [self._unk]

    def token_ids(self, tokens: Sequence[str]) -> TokenIds:
        """The ids of `tokens`, one list entry each."""
        pieces = [self._token_pieces(token) for token in tokens]
        return TokenIds(
            words=[self._words.get(token.lower(), UNKNOWN) for token in tokens],
            characters=[
                [
                    self._characters.get(character, UNKNOWN)
                    for character in token[: self.inputs.max_characters]
                ]
                for token in tokens
            ],
            pieces=pieces,
            marks=[
                int(token[:1] in "#＃@＠" and len(ids) > 1) for token, ids in zip(tokens, pieces, strict=True)
            ],
            cases=[case_of(token) for token in tokens],
            part_of_speech=self._tagged(tokens),
        )

    def _tagged(self, tokens: Sequence[str]) -> list[int]:
        if self._part_of_speech is None:
            return []
        return [1 + TAGS.index(tag) for tag in self._part_of_speech.tag(tokens)]

    def image_words(self, words: Sequence[str]) -> Sequence[str]:
        """The image words that the model reads."""
        if "image" not in self.inputs.reads:
            return ()
        if self.inputs.image_words == "nouns":
            words = nouns(words)
        elif self.inputs.image_words != "all":
            words = content_words(words)
        return words[: self.inputs.max_image_words]

    def hashtag_words(self, words: Sequence[str]) -> Sequence[str]:
        """The hashtag words that the model reads."""
        return words[:MAX_HASHTAG_WORDS] if "hashtags" in self.inputs.reads else ()

    def encode(
        self,
        tokens: TokenIds,
        image_words: Sequence[str] = (),
        hashtag_words: Sequence[str] = (),
        pixels: Pixels | None = None,
        tags: list[int] | None = None,
    ) -> Encoded:
        """Encode one window of at least one token with its image words and hashtag words."""
        image_words, hashtag_words = self.image_words(image_words), self.hashtag_words(hashtag_words)
        encoded = Encoded(
            words=tokens.words,
            characters=tokens.characters,
            part_of_speech=tokens.part_of_speech,
            tags=tags,
        )
        if pixels is not None and "image" in self.inputs.reads:
            encoded.pooled, encoded.regions, encoded.boxes = pixels.pooled, pixels.regions, pixels.boxes
            encoded.region_words = [self._words.get(noun_of(name), UNKNOWN) for name in pixels.words]
        encoded.image_words = [self._words.get(word.lower(), UNKNOWN) for word in image_words]
        encoded.hashtag_words = [self._words.get(word.lower(), UNKNOWN) for word in hashtag_words]
        if self._wordpieces is not None:
            self._lay_out(encoded, tokens, image_words, hashtag_words)
        return encoded

    def _lay_out(
        self, encoded: Encoded, tokens: TokenIds, image_words: Sequence[str], hashtag_words: Sequence[str]
    ) -> None:
        text = _Row([self._cls], [0], [0])
        for pieces, mark, case in zip(tokens.pieces, tokens.marks, tokens.cases, strict=True):
            encoded.first_piece.append(len(text.pieces) + mark)
            encoded.piece_count.append(len(pieces) - mark)
            text.add(pieces, 0, case)
        text.add([self._sep], 0)
        contexts = [self._context(words) for words in (image_words, hashtag_words)]
        if self.inputs.rows == "views":
            rows = [(0, text)] + [
                (segment, text.then(context, segment))
                for segment, context in enumerate(contexts, 1)
                if context
            ]
        elif self.inputs.rows == "joint":
            rows = [(0, text.then(contexts[0], 1).then(contexts[1], 2))]
        else:
            rows = [(0, text)]
        for view, row in rows:
            encoded.views.append(view)
            encoded.pieces.append(row.pieces)
            encoded.segments.append(row.segments)
            encoded.cases.append(row.cases)

    def _context(self, words: Sequence[str]) -> list[int]:
        """The pieces of words that follow the text, with the end of their segment; nothing for no words."""
        pieces = [piece for word in words for piece in self._token_pieces(word)][:MAX_CONTEXT_PIECES]
        return [*pieces, self._sep] if pieces else []


@dataclass
class _Row:
    """A row of word pieces under construction."""

    pieces: list[int]
    segments: list[int]
    cases: list[int]

    def add(self, pieces: Sequence[int], segment: int, case: int = 0) -> None:
        self.pieces += pieces
        self.segments += [segment] * len(pieces)
        self.cases += [case] * len(pieces)

    def then(self, pieces: Sequence[int], segment: int) -> "_Row":
        """A copy with `pieces` behind it."""
        row = _Row(list(self.pieces), list(self.segments), list(self.cases))
        row.add(pieces, segment)
        return row


def case_of(token: str) -> int:
    """The case of a token, as an index into CASES."""
    letters = [character for character in token if character.isalpha()]
    if not letters or not any(character.isupper() for character in letters):
        return 0
    if all(character.isupper() for character in letters):
        return 2 if len(letters) > 1 else 1
    return 1 if letters[0].isupper() and not any(character.isupper() for character in letters[1:]) else 3


def content_words(words: Sequence[str]) -> list[str]:
    """`words` without English function words, each once."""
    return list(dict.fromkeys(word for word in words if word.lower() not in FUNCTION_WORDS))
