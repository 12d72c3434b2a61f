"""Damage to bytes that knows nothing of their format."""

import random
from collections.abc import Callable


def flip(draw: random.Random, data: bytes, first: int = 0, last: int | None = None) -> bytes:
    """Some bytes of [first, last) become others."""
    changed = bytearray(data)
    end = min(len(data), len(data) if last is None else last)
    for _ in range(draw.choice((1, 1, 2, 4, 16)) if first < end else 0):
        place = draw.randrange(first, end)
        changed[place] = draw.choice((0, 255, draw.randrange(256), changed[place] ^ 1 << draw.randrange(8)))
    return bytes(changed)


def flip_header(draw: random.Random, data: bytes) -> bytes:
    return flip(draw, data, 0, 64)


def flip_body(draw: random.Random, data: bytes) -> bytes:
    return flip(draw, data, 64)


def cut(draw: random.Random, data: bytes) -> bytes:
    """Only a beginning of it, at least one byte short."""
    return data[: draw.randrange(max(1, len(data)))]


def take_out(draw: random.Random, data: bytes) -> bytes:
    first, last = _slice(draw, data)
    return data[:first] + data[last:]


def put_twice(draw: random.Random, data: bytes) -> bytes:
    first, last = _slice(draw, data)
    return data[:last] + data[first:last] * draw.choice((1, 1, 2, 50)) + data[last:]


def put_in(draw: random.Random, data: bytes) -> bytes:
    place = draw.randint(0, len(data))
    return data[:place] + draw.randbytes(draw.randint(1, 60)) + data[place:]


def blank(draw: random.Random, data: bytes) -> bytes:
    """A stretch of it becomes zeros."""
    first, last = _slice(draw, data)
    return data[:first] + bytes(last - first) + data[last:]


def splice(draw: random.Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one, the end of the other."""
    return data[: draw.randint(0, len(data))] + other[draw.randint(0, len(other)) :]


def _slice(draw: random.Random, data: bytes) -> tuple[int, int]:
    first = draw.randint(0, len(data))
    return first, min(len(data), first + draw.choice((1, 4, 30, 300)))


ANY: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "flipped": flip, "cut": cut, "taken out": take_out, "put twice": put_twice, "put in": put_in, "blanked": blank,
}  # fmt: skip
