"""Whole-word masking: which tokens of a post must be predicted, and what the encoder sees instead of their pieces.

Of a post's tokens, 15 % are chosen. All pieces of a chosen token are predicted, since one of several is easily guessed
from the others (Cui et al. 2019, arXiv 1906.08101). As in BERT, 80 % of the chosen tokens become mask pieces, 10 %
random pieces, and 10 % stay as they are. The case of a chosen token stays: taggers always know it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from models.core.batch import Encoded
from models.core.errors import PretrainedError
from models.text.pretrained import special_id

MASKED, RANDOM = 0.8, 0.1
"""Shares of the chosen tokens that become mask pieces and random pieces."""
UNTAUGHT = ("@user", "http")
"""Tokens that stand for any account or link: they are never predicted."""


@dataclass(frozen=True)
class Masked:
    """A post as the encoder sees it, and the pieces that it must predict."""

    encoded: Encoded
    columns: list[int]
    """Columns of the predicted pieces in the post's row."""
    targets: list[int]
    """Their true ids."""


class Masking:
    """Masks `share` of a post's tokens, at least one, with the pieces of one encoder."""

    def __init__(self, wordpieces: Tokenizer, share: float) -> None:
        self.share = share
        # MPNet's tokenizer comes first, as in PostEncoder.
        found = special_id(wordpieces, ("<mask>", "[MASK]"))
        if found is None:
            raise PretrainedError("the text encoder's tokenizer has no <mask> or [MASK]")
        self.mask = found
        self.ordinary = sorted(
            index for piece, index in wordpieces.get_vocab().items() if not _is_special(piece)
        )

    def __call__(self, encoded: Encoded, tokens: Sequence[str], rng: random.Random) -> Masked | None:
        """encoded: of `tokens`; its row of pieces is replaced. None if no token can be predicted."""
        words = [i for i, token in enumerate(tokens) if not token.lower().startswith(UNTAUGHT)]
        if not words:
            return None
        row, columns, targets = list(encoded.pieces[0]), list[int](), list[int]()
        for token in sorted(rng.sample(words, _rounded(self.share * len(words), rng))):
            first = encoded.first_piece[token]
            places = range(first, first + encoded.piece_count[token])
            columns += places
            targets += [row[place] for place in places]
            chance = rng.random()
            for place in places:
                if chance < MASKED:
                    row[place] = self.mask
                elif chance < MASKED + RANDOM:
                    row[place] = rng.choice(self.ordinary)
        encoded.pieces = [row]
        return Masked(encoded, columns, targets)


def _rounded(number: float, rng: random.Random) -> int:
    """`number` rounded up or down at random, so that its mean stays; at least 1."""
    return max(1, int(number + rng.random()))


def _is_special(piece: str) -> bool:
    return len(piece) > 1 and (piece[0], piece[-1]) in {("[", "]"), ("<", ">")}
