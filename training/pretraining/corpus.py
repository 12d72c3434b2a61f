"""Posts for masked-language modelling: read, split, cut into tokens and pieces exactly as taggers read them.

Token borders, URLs as `http`, HTML entities, hashtags, mentions and the case of tokens are PostEncoder's
(models/text/post_encoder.py). A post's row is its text alone.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.core.batch import Encoded
from models.core.inputs import Inputs
from models.text.post_encoder import PostEncoder
from models.text.pretrained import load_wordpieces
from models.text.tokenizer import tokenize
from models.text.vocabulary import Vocabulary
from models.text.windows import windows
from training.errors import DataError
from training.pretraining.masking import Masked, Masking

LEAST_TOKENS = 3
"""Shorter posts give a masked token no context."""


@dataclass(frozen=True)
class Posts:
    """Texts to train on, and texts held out to measure."""

    training: list[str]
    held_out: list[str]


def read_posts(files: Sequence[Path], held_out: float, seed: int) -> Posts:
    """The files' posts, one per line, each once; `held_out` is the share that is drawn to measure.

    Raises DataError if a file cannot be read, or if either part would be empty.
    """
    texts = [text for text in dict.fromkeys(_lines(files)) if len(tokenize(text)) >= LEAST_TOKENS]
    random.Random(seed).shuffle(texts)
    held = round(held_out * len(texts))
    if not 0 < held < len(texts):
        raise DataError(
            f"--corpus: {len(texts)} posts of at least {LEAST_TOKENS} tokens are too few to hold out {held_out:.0%}"
        )
    return Posts(texts[held:], texts[:held])


def _lines(files: Sequence[Path]) -> Iterable[str]:
    for path in files:
        try:
            with path.open(encoding="utf-8", newline="\n") as file:
                yield from (line.strip() for line in file)
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path}: {error}") from None


class PostMasker:
    """Turns texts into masked rows of pieces for the encoder `text_encoder`."""

    def __init__(self, text_encoder: str, share: float) -> None:
        none = Vocabulary(())
        self.encoder = PostEncoder(none, none, Inputs(text_encoder))
        self.masking = Masking(load_wordpieces(text_encoder), share)

    def encode(self, text: str) -> tuple[Encoded, list[str]]:
        """The first window of a post, and its tokens."""
        tokens = [token.text for token in tokenize(text)]
        ids = self.encoder.token_ids(tokens)
        end = windows(ids)[0][1]
        return self.encoder.encode(ids[:end]), tokens[:end]

    def mask(self, texts: Iterable[str], rng: random.Random) -> list[Masked]:
        """Masked posts in the order of `texts`, without those in which nothing can be predicted."""
        masked = (self.masking(*self.encode(text), rng) for text in texts)
        return [each for each in masked if each is not None]
