"""Golden posts: a checkpoint's tags when it was written, which must be the same wherever it is loaded.

They are stored in a checkpoint as golden.json and checked by `Tagger.load`. This detects a library, processor or number
format that changes tags before the first real post. Only posts whose tags survive small changes of the weights are
kept, because a borderline post is not a reference. The posts are our own and not from a data set.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from models.core.errors import CheckpointError
from models.core.post import Mention

TEXTS = (
    "Auston Matthews scores twice as the Maple Leafs win in Toronto! #TorontoMapleLeafs",
    "Angela Merkel met Barack Obama in Berlin on Monday",
    "RT @nasa: Apollo 11 landed on the Moon in 1969 http://t.co/x",
    "just had the best coffee of my life, good morning everyone",
    "Apple opens a new store in New York City next week #Apple",
    "José Mourinho verlässt Manchester United \U0001f62e",
    "Watching Game of Thrones with Anna tonight \U0001f389\U0001f389 #GoT",
    "LONDON: the Bank of England keeps its rate",
    "@anna_k happy birthday!! love u so much <3",
    "Taylor Swift live at Wembley Stadium, London #TaylorSwift #ErasTour",
    "The Guardian reports floods in Kerala, India",
    "Lakers vs Celtics tonight at the Staples Center",
)
CONFIDENCE = 0.05
"""Accepted difference in a mention's confidence, caused by different arithmetic."""
ROUNDING = 2.0**-9
"""Relative change of the weights that must not change a kept post's tags: bfloat16's rounding."""


class Tags(Protocol):
    """A tagger (models/inference/tagger.py)."""

    model: Any

    def tag_unconstrained(self, texts: Sequence[str]) -> list[list[Mention]]: ...


def record(tagger: Tags) -> list[dict[str, Any]]:
    """The mentions that `tagger` finds in TEXTS, without posts whose tags change with ROUNDING."""
    found = tagger.tag_unconstrained(TEXTS)
    firm = [True] * len(TEXTS)
    for seed in range(3):
        shaken = _shaken(tagger, seed)
        firm = [kept and _spans(a) == _spans(b) for kept, a, b in zip(firm, found, shaken, strict=True)]
    return [
        {
            "text": text,
            "mentions": [[*span, mention.confidence] for span, mention in zip(_spans(m), m, strict=True)],
        }
        for text, m, kept in zip(TEXTS, found, firm, strict=True)
        if kept
    ]


def check(tagger: Tags, golden: Sequence[dict[str, Any]]) -> None:
    """Raise CheckpointError, naming the post, if `tagger` does not find the recorded mentions."""
    for post, found in zip(golden, tagger.tag_unconstrained([post["text"] for post in golden]), strict=True):
        expected = [tuple(mention[:3]) for mention in post["mentions"]]
        off = [abs(m.confidence - given[3]) for m, given in zip(found, post["mentions"], strict=False)]
        if _spans(found) != expected or max(off, default=0.0) > CONFIDENCE:
            raise CheckpointError(
                f"golden post {post['text']!r}: tagged {_spans(found)} here, expected {expected}"
            )


def _spans(mentions: Sequence[Mention]) -> list[tuple[int, int, str]]:
    return [(mention.start, mention.end, mention.type) for mention in mentions]


def _shaken(tagger: Tags, seed: int) -> list[list[Mention]]:
    """The tagger's mentions after a small random change of every weight."""
    model: nn.Module = tagger.model
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    try:
        _shake(model, torch.Generator().manual_seed(seed))
        return tagger.tag_unconstrained(TEXTS)
    finally:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(before[name])


@torch.no_grad()
def _shake(model: nn.Module, generator: torch.Generator) -> None:
    for parameter in model.parameters():
        noise: Tensor = torch.rand(parameter.shape, generator=generator) * 2 - 1
        parameter.mul_(1 + ROUNDING * noise.to(parameter.device))
