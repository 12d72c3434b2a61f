"""BIO (IOB2) labels: the label set of a checkpoint, spans in tag sequences, and allowed transitions.

Spans are read as in seqeval's strict mode for IOB2: only `B-X` opens one, and an `I-X` that continues nothing is not an
entity. Fixing such orphan tags is left to the reader (training/data/conll.py).
"""

from collections.abc import Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """An entity over tokens or characters; `end` is exclusive."""

    start: int
    end: int
    type: str


def bio_labels(types: Sequence[str]) -> list[str]:
    """`O`, then `B-` and `I-` of each type: 9 labels for the paper's four types."""
    return ["O"] + [f"{prefix}-{type_}" for type_ in types for prefix in "BI"]


def spans(tags: Sequence[str]) -> list[Span]:
    """The entities in a BIO tag sequence, read strictly, in order."""
    found: list[Span] = []
    start, open_type = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, type_ = tag.partition("-")
        if open_type and not (prefix == "I" and type_ == open_type):
            found.append(Span(start, position, open_type))
            open_type = ""
        if prefix == "B":
            start, open_type = position, type_
    return found


def tags_of(entities: Sequence[Span], length: int) -> list[str]:
    """The BIO tags of non-overlapping spans over `length` tokens; the inverse of `spans`."""
    tags = ["O"] * length
    for start, end, type_ in entities:
        tags[start:end] = [f"B-{type_}"] + [f"I-{type_}"] * (end - start - 1)
    return tags


def may_follow(previous: str | None, tag: str) -> bool:
    """Whether `tag` may come after `previous` (None: at the start): `I-X` continues `B-X` or `I-X` only."""
    if not tag.startswith("I-"):
        return True
    return previous is not None and previous in (f"B-{tag[2:]}", tag)
