"""Images to mutate, made by Pillow in every format and mode we take, and some that we do not."""

import io
import random
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.cases import BROKEN, USED

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"RIFF")
HTML = b"<!DOCTYPE html><html><head><title>404</title></head><body>not found</body></html>"
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"><rect width="9" height="9"/></svg>'
)


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    """Some structure and some noise, so that files are neither tiny nor all entropy."""
    random_ = np.random.default_rng(seed)
    pixels = random_.integers(0, 60, (height, width, 3))
    pixels += np.linspace(0, 190, width).astype(int)[None, :, None]
    return Image.fromarray(pixels.astype(np.uint8))


def saved(image: Image.Image, format_: str, **options: Any) -> bytes:
    """The file of `image`."""
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


@cache
def bases() -> dict[str, tuple[bytes, str]]:
    """Name -> (file, USED or BROKEN)."""
    scene = noise(120, 80)
    frames = [noise(40, 30, seed) for seed in range(4)]
    animation: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 40}
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.arange(0, 60_000, 10, dtype=np.uint16).reshape(60, 100))
    clear = scene.convert("RGBA")
    clear.putalpha(90)
    good = {
        "jpeg": saved(scene, "JPEG"),
        "jpeg progressive": saved(scene, "JPEG", progressive=True),
        "jpeg grey": saved(scene.convert("L"), "JPEG"),
        "jpeg cmyk": saved(scene.convert("CMYK"), "JPEG"),
        "jpeg ycbcr 4:4:4": saved(scene, "JPEG", subsampling=0, quality=98),
        "jpeg rotated": saved(scene, "JPEG", exif=exif),
        "png": saved(scene, "PNG"),
        "png 1 bit": saved(scene.convert("1"), "PNG"),
        "png grey": saved(scene.convert("L"), "PNG"),
        "png 16 bit": saved(deep, "PNG"),
        "png palette": saved(scene.convert("P"), "PNG"),
        "png palette clear": saved(clear.quantize(), "PNG"),
        "png alpha": saved(clear, "PNG", exif=exif),
        "png grey alpha": saved(clear.convert("LA"), "PNG"),
        "png interlaced": interlaced(24, 17),
        "apng": saved(frames[0], "PNG", **animation),
        "webp": saved(scene, "WEBP"),
        "webp lossless": saved(clear, "WEBP", lossless=True),
        "webp rotated": saved(scene, "WEBP", exif=exif),
        "webp animated": saved(frames[0], "WEBP", **animation),
        "gif": saved(scene, "GIF"),
        "gif animated": saved(frames[0], "GIF", **animation),
        "gif clear": saved(clear, "GIF"),
    }
    bad = {
        "tiff": saved(scene, "TIFF"),
        "bmp": saved(scene, "BMP"),
        "ppm": saved(scene, "PPM"),
        "ico": saved(scene, "ICO"),
        "html": HTML,
        "svg": SVG,
        "empty": b"",
    }
    return {name: (data, USED) for name, data in good.items()} | {
        name: (data, BROKEN) for name, data in bad.items()
    }


def interlaced(width: int, height: int) -> bytes:
    """An Adam7 PNG in grey, which Pillow reads but does not write."""
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    rows = b""
    for left, top, right, down in passes:
        columns, lines = len(range(left, width, right)), len(range(top, height, down))
        if columns:
            rows += (b"\0" + bytes(range(columns))) * lines
    return png(width, height, 0, 8, zlib.compress(rows), interlace=1)


def png(width: int, height: int, colour: int, bits: int, data: bytes, interlace: int = 0) -> bytes:
    """A PNG file of what its header claims and its compressed data."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    return SIGNATURES[1] + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG, its sum right."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def looks_like_ours(data: bytes) -> bool:
    """Whether the first bytes are those of JPEG, PNG, GIF or WebP; if not, no reader of ours may take it."""
    if data[:4] == b"RIFF":
        return data[8:12] == b"WEBP"
    return data.startswith(SIGNATURES)


@cache
def solid_png(megapixels: int) -> bytes:
    """A few kilobytes that unpack to as many megapixels."""
    width, height = 8000, megapixels * 125
    packer = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png(width, height, 0, 1, data)


@cache
def many_scans(side: int) -> bytes:
    """A progressive JPEG whose last scan comes 3,000 times: each costs 60 bytes, and a pass over all pixels."""
    data = saved(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * 3000 + data[-2:]


def with_size(draw: random.Random, data: bytes) -> bytes:
    """`data` with another size in its header, the sum of a PNG's header mended."""
    width, height = (draw.choice((0, 1, 999, 8000, 50_000, 65_535)) for _ in range(2))
    changed = bytearray(data)
    if data.startswith(SIGNATURES[1]):
        struct.pack_into(">II", changed, 16, width, height)
        struct.pack_into(">I", changed, 29, zlib.crc32(bytes(changed[12:29])))
    elif data.startswith(b"GIF8"):
        struct.pack_into("<HH", changed, 6, width, height)
        frame = data.find(b",", 13)
        if draw.random() < 0.5 and 0 < frame < len(data) - 9:
            struct.pack_into("<HH", changed, frame + 5, width, height)
    elif data.startswith(b"\xff\xd8"):
        place = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        if place > 0:
            struct.pack_into(">HH", changed, place + 5, height, width)
    elif data[12:16] == b"VP8X":
        changed[24:30] = (max(0, width - 1)).to_bytes(3, "little") + (max(0, height - 1)).to_bytes(
            3, "little"
        )
    elif data[12:16] == b"VP8 ":
        struct.pack_into("<HH", changed, 26, width & 0x3FFF, height & 0x3FFF)
    return bytes(changed)
