"""Image number `index` of a seed, as the only one of a post: a base image, damaged in one way."""

import base64
import json
import random
import zlib
from collections.abc import Callable
from functools import cache

from tests.fuzz import byte_mutations as damage
from tests.fuzz.cases import BROKEN, TAGGED, USED, Case, draw_for
from tests.fuzz.images import (
    HTML,
    SIGNATURES,
    SVG,
    bases,
    chunk,
    looks_like_ours,
    many_scans,
    noise,
    png,
    saved,
    solid_png,
    with_size,
)
from tests.fuzz.unicode_text import nasty

CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"XXXX")
TAKEN = [name for name, (_, outcome) in bases().items() if outcome == USED]


def image_case(seed: int, index: int) -> Case:
    draw = draw_for("images", seed, index)
    name = draw.choices(list(MUTATIONS), [weight for weight, _ in MUTATIONS.values()])[0]
    data, image = MUTATIONS[name][1](draw)
    if not looks_like_ours(data):
        image = BROKEN
    alt = nasty(draw) if draw.random() < 0.2 else "Photo of Toronto"
    fields = {"id": f"image {index}", "text": "Leafs won in #Toronto"}
    images = [{"data": base64.b64encode(data).decode(), "alt": alt}]
    value = json.dumps(fields | {"images": images}, ensure_ascii=False).encode()
    return Case(name, value, TAGGED, image)


def _untouched(draw: random.Random) -> tuple[bytes, str]:
    return bases()[draw.choice(list(bases()))]


def _damaged(how: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random], tuple[bytes, None]]:
    return lambda draw: (how(draw, bases()[draw.choice(TAKEN)][0]), None)


def _spliced(draw: random.Random) -> tuple[bytes, None]:
    one, other = (bases()[name][0] for name in draw.choices(TAKEN, k=2))
    return damage.splice(draw, one, other), None


def _resized(draw: random.Random) -> tuple[bytes, None]:
    return with_size(draw, bases()[draw.choice(TAKEN)][0]), None


def _posing(draw: random.Random) -> tuple[bytes, str]:
    """Text behind the first bytes of an image."""
    return draw.choice((*SIGNATURES, b"RIFF\0\0\0\0WEBP")) + draw.choice((HTML, SVG)), BROKEN


def _odd_chunks(draw: random.Random) -> tuple[bytes, None]:
    """A PNG with chunks of all kinds in between, some large once unpacked."""
    data = bases()[draw.choice([name for name in TAKEN if "png" in name])][0]
    kind = draw.choice(CHUNKS)
    packed = b"name\0\0" + _zeros(draw.choice((1, 10, 80)))
    content = draw.choice((packed, draw.randbytes(draw.randint(0, 60)), bytes(26)))
    return data[:33] + chunk(kind, content) * draw.choice((1, 3)) + data[33:], None


@cache
def _zeros(megabytes: int) -> bytes:
    return zlib.compress(bytes(megabytes * 10**6), 9)


def _odd_exif(draw: random.Random) -> tuple[bytes, str]:
    """A damaged EXIF block costs no picture."""
    name = draw.choice(("JPEG", "WEBP"))
    exif = b"Exif\0\0" + draw.choice((b"II*\0", b"MM\0*", b"")) + draw.randbytes(draw.randint(0, 80))
    return saved(noise(60, 40), name, exif=exif), USED


def _random_bytes(draw: random.Random) -> tuple[bytes, None]:
    start = draw.choice((b"", *SIGNATURES))
    return start + draw.randbytes(draw.randint(0, 400)), None


def _bomb(draw: random.Random) -> tuple[bytes, str]:
    """Small files that want much memory or time."""
    return draw.choice(
        (
            lambda: (solid_png(38), USED),
            lambda: (solid_png(48), BROKEN),
            lambda: (many_scans(2000), BROKEN),
            lambda: (_claiming(50_000, 50_000), BROKEN),
            lambda: (_claiming(8000, 6000), BROKEN),
        )
    )()


def _claiming(width: int, height: int) -> bytes:
    return png(width, height, 2, 8, b"\x78\x9c\x03\x00\x00\x00\x00\x01")


MUTATIONS: dict[str, tuple[float, Callable[[random.Random], tuple[bytes, str | None]]]] = {
    "image untouched": (3, _untouched),
    "image header flipped": (14, _damaged(damage.flip_header)),
    "image body flipped": (14, _damaged(damage.flip_body)),
    "image cut": (10, _damaged(damage.cut)),
    "image taken out": (8, _damaged(damage.take_out)),
    "image put twice": (8, _damaged(damage.put_twice)),
    "image put in": (6, _damaged(damage.put_in)),
    "image blanked": (6, _damaged(damage.blank)),
    "image spliced": (8, _spliced),
    "image resized": (8, _resized),
    "image posing": (3, _posing),
    "image odd chunks": (6, _odd_chunks),
    "image odd exif": (4, _odd_exif),
    "image random": (3, _random_bytes),
    "image bomb": (0.4, _bomb),
}
"""Name -> (how often, what makes it)."""
