"""Decodes an untrusted AVIF file in a process of its own, with limited memory and CPU time.

The size in an AVIF header says nothing about the coded frame: a file of 2 kB that claims 100 x 100 pixels made the
decoder fill 2.4 GB, and Pillow does not pass on a limit. So this file is also a program. It reads AVIF bytes on
stdin, and writes the first frame, reduced, as a PNG with its EXIF orientation. It imports only Pillow.
"""

import io
import resource
import subprocess
import sys
from pathlib import Path

from PIL import AvifImagePlugin, Image, UnidentifiedImageError

MAX_MEMORY = 2**30
"""Bytes of address space of the process; 40 million pixels take less than 600 MiB."""
MAX_SECONDS = 20
"""CPU seconds of the process."""
PATIENCE = 60.0
"""Seconds until the process is killed, on a machine that is too busy for those."""
SIDE = 512
"""Pixels of the short side, at least, that are kept."""
ORIENTATION = 0x0112
"""The EXIF tag."""


class AvifError(Exception):
    """The bytes cannot be decoded; the message says why."""


def avif_to_png(data: bytes, max_pixels: int, max_memory: int = MAX_MEMORY) -> bytes:
    """The first frame of an AVIF file of at most `max_pixels` as a PNG, with a short side of SIDE to twice SIDE pixels,
    or all if it has fewer; `max_memory` in bytes. Raises AvifError."""
    command = [sys.executable, "-I", str(Path(__file__).resolve()), str(max_pixels), str(max_memory)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise AvifError(f"AVIF not decoded within {PATIENCE:g} s") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise AvifError(lines[-1] if lines else f"the AVIF decoder ended with code {done.returncode}")
    return done.stdout


def _main() -> None:
    max_pixels, max_memory = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the worker decodes several pictures at once
    try:
        sys.stdout.buffer.write(_png(sys.stdin.buffer.read(), max_pixels))
    except UnidentifiedImageError:
        sys.exit("damaged or truncated AVIF")
    except Exception as error:
        sys.exit(" ".join(f"{type(error).__name__}: {error}".split())[:200])


def _png(data: bytes, max_pixels: int) -> bytes:
    Image.MAX_IMAGE_PIXELS = None  # ours is below it, and has the better message
    with Image.open(io.BytesIO(data), formats=("AVIF",)) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ValueError(f"{width} x {height} pixels; at most {max_pixels} are decoded")
        upright = Image.Exif()
        upright[ORIENTATION] = image.getexif().get(ORIENTATION, 1)
        small = image.reduce(max(1, min(width, height) // SIDE))
        out = io.BytesIO()
        small.save(out, "PNG", compress_level=1, exif=upright)
    return out.getvalue()


if __name__ == "__main__":
    _main()
