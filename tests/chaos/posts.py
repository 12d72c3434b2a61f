"""The posts of a run: each with a number that no other has, most of them with mentions, some twice, some to die.

What becomes of a post follows from its number alone, so that a run that goes on knows the fates of those before.
"""

import random

import orjson

SOURCE = "chaos"
NAMES = tuple(
    f"{name}{number}"
    for name in ("Paris", "Rome", "Alice", "Toronto", "Acme", "Quito")
    for number in range(40)
)
_FATES = ("healthy", "no JSON", "no id", "poison", "unpreparable", "again")
_WEIGHTS = (93.4, 0.4, 0.4, 0.4, 0.4, 5.0)
AGO = 40
"""A post that comes again is one of the last so many, or none where that one had to die."""


def fate(number: int) -> str:
    """What the post of this number is meant for: one of `healthy`, `again`, and four that die."""
    (chosen,) = _dice(number).choices(_FATES, _WEIGHTS)
    return chosen if chosen != "again" or _first(number) is not None else "healthy"


def dies(number: int) -> bool:
    """Whether it ends in the dead-letter topic by what it is."""
    return fate(number) not in ("healthy", "again")


def post(number: int) -> tuple[bytes, bytes]:
    """Its key and value."""
    kind = fate(number)
    like = _first(number) if kind == "again" else number
    assert like is not None
    key = f"p{like}"
    if kind == "no JSON":
        return key.encode(), b'no JSON, "n":%d' % number
    fields = {"n": number, "id": key, "text": _text(like, kind), "source": SOURCE}
    if kind == "no id":
        del fields["id"]
    return key.encode(), orjson.dumps(fields)


def _first(number: int) -> int | None:
    """The post that this one repeats."""
    like = number - 1 - _dice(-number).randrange(AGO)
    (chosen,) = _dice(like).choices(_FATES, _WEIGHTS)
    return like if like >= 0 and chosen == "healthy" else None


def _text(number: int, kind: str) -> str:
    dice = _dice(number)
    names = dice.sample(NAMES, dice.randrange(5))
    trouble = {"poison": " BOOM", "unpreparable": " UNPREPARABLE"}.get(kind, "")
    return f"no. {number}: " + " met ".join(names) + trouble


def _dice(number: int) -> random.Random:
    return random.Random(f"post {number}")
