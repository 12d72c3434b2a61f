"""Opens an untrusted JPEG, to be decoded at the smallest scale that suffices (`draft`).

At that scale, the pixels of a large photograph take little memory. What costs is reading it: a pass over all pixels
for each scan, and with several scans all coefficients in memory. So these are limited instead of the pixels.
"""

import io

from PIL.JpegImagePlugin import JpegImageFile

from models.core.errors import BrokenImage

START = b"\xff\xd8\xff"
"""The first bytes of every JPEG."""
MAX_PIXELS = 250_000_000
"""Maximum pixels (width x height in the header); cameras have up to 200 million."""
MAX_SCANNED = 1_200_000_000
"""Maximum pixels times scans: a scan of only 60 bytes can cost a pass over all pixels."""
MAX_COEFFICIENTS = 200_000_000
"""Maximum coefficients, of 2 bytes each, of a JPEG that is not read in one pass."""

_SCAN = b"\xff\xda"  # the marker that begins a scan; in a scan's own bytes it is escaped


def open_jpeg(data: bytes, short_side: int) -> JpegImageFile:
    """The picture in `data`, not decoded yet; it will be scaled down to a short side of at least `short_side`.
    Of several pictures (MPO), the first. Raises BrokenImage for one that costs too much."""
    image = JpegImageFile(io.BytesIO(data))  # Image.open would apply a limit for pictures decoded in full
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BrokenImage(f"image has {width} x {height} pixels; at most {MAX_PIXELS} are read of a JPEG")
    first = _first_scan(data)
    scans = data.count(_SCAN, first)
    if width * height * scans > MAX_SCANNED:
        raise BrokenImage(
            f"image has {scans} scans of {width} x {height} pixels; at most {MAX_SCANNED} pixels are read"
        )
    one_pass = not image.info.get("progressive") and data[first + 4 : first + 5] == bytes([image.layers])
    if not one_pass and (coefficients := _coefficients(image)) > MAX_COEFFICIENTS:
        raise BrokenImage(
            f"image has {width} x {height} pixels in several scans, of {coefficients} coefficients; at most "
            f"{MAX_COEFFICIENTS} are read"
        )
    image.draft(None, (short_side, short_side))
    return image


def _first_scan(data: bytes) -> int:
    """Where the first scan begins: not in a thumbnail. 0 if the segments before it are damaged."""
    position = 2
    while data[position : position + 1] == b"\xff":
        if data[position : position + 2] == _SCAN:
            return position
        if data[position + 1 : position + 2] == b"\xff":  # padding
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return 0


def _coefficients(image: JpegImageFile) -> int:
    width, height = image.size
    across, down = (max(layer[axis] for layer in image.layer) for axis in (1, 2))
    share = sum(layer[1] * layer[2] for layer in image.layer) / (across * down)
    return int(width * height * share)
