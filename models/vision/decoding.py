"""Decodes the bytes of an untrusted picture to the 224 x 224 pixels that the CNN reads.

Oversized pictures are rejected by their header, before decoding. JPEGs are decoded at the smallest sufficient scale
(jpeg.py), AVIF in a process of its own (avif.py). Only the square that the CNN reads is resized: short side to 256,
bicubic, centre 224, as in timm's evaluation of EfficientNet-Lite0. The first frame of an animation is used. Any problem
with the bytes is a BrokenImage with the reason. Torch is not imported, so that decoding can run in any process; the
encoder normalizes.
"""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from models.core.errors import BrokenImage
from models.vision import jpeg, png
from models.vision.avif import AvifError, avif_to_png

SIDE = 224
"""Pixels per side of the CNN's input."""
SHORT_SIDE = 256
"""Pixels that the short side is resized to before the centre is cut out."""
MAX_PIXELS = 40_000_000
"""Maximum pixels (width x height in the header) of anything but a JPEG; larger pictures are not decoded."""
MAX_BYTES = 16 * 2**20
"""Maximum bytes of a picture."""
FORMATS = ("PNG", "WEBP", "GIF")
"""What Pillow opens here, beside JPEG and AVIF."""
NAMES = "JPEG, PNG, WebP, GIF or AVIF"
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
"""Brands of HEIC files, which use the same container as AVIF."""

_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared by ==: compare `key`
class Picture:
    """A decoded picture.

    pixels: uint8 [224, 224, 3], RGB, upright.
    key: SHA-256 of the file's bytes in hex; equal keys mean the same picture.
    alt: its alt text.
    """

    pixels: npt.NDArray[np.uint8]
    key: str
    alt: str = ""


def decode_image(data: bytes, alt: str = "") -> Picture:
    """The picture in the bytes of a JPEG, PNG, WebP, GIF or AVIF file. Raises BrokenImage with the reason."""
    if not data:
        raise BrokenImage("image is empty")
    if len(data) > MAX_BYTES:
        raise BrokenImage(f"image has {len(data)} bytes; at most {MAX_BYTES} are accepted")
    try:
        pixels = _read(data)
    except BrokenImage:
        raise
    except UnidentifiedImageError:
        raise BrokenImage(f"image is not a {NAMES}") from None
    except Exception as error:  # for malicious bytes, Pillow's readers may raise any class
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BrokenImage(f"image cannot be decoded ({reason[:200]})") from None
    return Picture(pixels, hashlib.sha256(data).hexdigest(), alt)


def _read(data: bytes) -> npt.NDArray[np.uint8]:
    if data.startswith(jpeg.START):
        with jpeg.open_jpeg(data, SHORT_SIDE) as image:
            return _pixels(image)
    if data[4:8] == b"ftyp":
        return _decoded(_from_container(data))
    try:
        return _decoded(data)
    except Exception:  # long or damaged text costs no picture
        if data.startswith(png.SIGNATURE) and (bare := png.without_text(data)) != data:
            return _decoded(bare)
        raise


def _from_container(data: bytes) -> bytes:
    """A PNG of the AVIF image in an ISO container, which may also hold HEIC or a video."""
    brands = {data[start : start + 4] for start in range(8, min(int.from_bytes(data[:4]), 256), 4)}
    if not brands & {b"avif", b"avis"}:
        kind = "HEIC" if brands & HEIC_BRANDS else "a video or unknown"
        raise BrokenImage(f"image is {kind}, not a {NAMES}: convert it before it is sent")
    try:
        return avif_to_png(data, MAX_PIXELS)
    except AvifError as error:
        raise BrokenImage(f"image cannot be decoded ({error})") from None


def _decoded(data: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise BrokenImage(f"image has {width} x {height} pixels; at most {MAX_PIXELS} are decoded")
        return _pixels(image)


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    if 0 in image.size:
        raise BrokenImage("image has no pixels")
    orientation = _orientation(image)
    square = _to_rgb(image).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC, box=_centre(image.size), reducing_gap=2.0
    )
    square = _over_white(square)
    if orientation in _UPRIGHT:  # the crop is symmetric, so only the small square is rotated
        square = square.transpose(_UPRIGHT[orientation])
    return np.array(square)


def _centre(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box in the picture that remains after resizing the short side to 256 and cropping the centre 224."""
    width, height = size
    side = min(size) * SIDE / SHORT_SIDE
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _to_rgb(image: Image.Image) -> Image.Image:
    """The decoded picture as RGB, or as RGBA if it has transparency."""
    if image.mode.startswith(("I", "F")):  # 16-bit grey: convert() would clip all above 255 to white
        return image.point(lambda value: value / 257).convert("L").convert("RGB")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, or 1 (upright) if there is none or the EXIF block is damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1
