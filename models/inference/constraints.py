"""Which tokens may be in a mention, whatever the model's scores: they become constraints of the CRF's decoding.

A URL, an e-mail address, an emoji, a number's tag, a compound of names and the end of a line never are; a handle only
where handles are tagged. Hence no mention crosses the end of a line either.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from models.layers.crf import FORBIDDEN
from models.text.tokenizer import Kind, Token

Handles = Literal["tag", "skip"]
"""Whether a handle (`@nasa`) may be a mention."""
_NEVER = frozenset(Kind) - {Kind.WORD, Kind.HASHTAG, Kind.CASHTAG, Kind.HANDLE}


def outside(tokens: Sequence[Token], handles: Handles) -> list[int]:
    """The places of the tokens that are not part of any mention."""
    never = _NEVER if handles == "tag" else _NEVER | {Kind.HANDLE}
    return [index for index, token in enumerate(tokens) if token.kind in never]


def constrain(emissions: Tensor, rows: Sequence[Sequence[int]], labels: Sequence[str]) -> Tensor:
    """`emissions` [batch, length, labels] with only `O` possible at the places of each row."""
    places = [(row, token) for row, tokens in enumerate(rows) for token in tokens]
    if not places:
        return emissions
    constrained = emissions.float().clone()
    at_row, at_token = torch.tensor(places, device=emissions.device).unbind(1)
    constrained[at_row, at_token] = constrained[at_row, at_token].masked_fill(
        torch.tensor([label != "O" for label in labels], device=emissions.device), FORBIDDEN
    )
    return constrained
