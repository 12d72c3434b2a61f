"""The pictures of a post: bytes from `data`, or from a file below the workers' images root, decoded.

No image, a broken one, one that may not be read: normal inputs. The post is tagged without, and the
outcome of every image is counted by reason. Images by URL are skipped. Runs in a thread pool.
"""

import base64
import functools
import logging
from dataclasses import dataclass
from pathlib import Path

from models.errors import BrokenImage
from models.images import Picture, decode_image
from stream.contracts import Post, PostImage
from stream.images_root import read_below

log = logging.getLogger("trimod.worker")


@dataclass(frozen=True, slots=True)
class ImageOutcome:
    """What became of an image: `used`, `broken` or `skipped`; and a short reason, fit for a metric's
    label."""

    outcome: str
    reason: str = ""


USED = ImageOutcome("used")
UNDECODABLE = ImageOutcome("broken", "undecodable")
"""No base64, or no image that we can read."""
UNREADABLE = ImageOutcome("broken", "unreadable")
"""No such file, or a path that leads out of the root."""
BY_URL = ImageOutcome("skipped", "url")
NO_ROOT = ImageOutcome("skipped", "no images root")


def fetch_pictures(post: Post, root: Path | None) -> tuple[list[Picture], list[ImageOutcome]]:
    """The pictures of `post` that could be had, in order, and the outcome of each of its images."""
    pictures: list[Picture] = []
    outcomes: list[ImageOutcome] = []
    for image in post.images:
        found = _picture(image, root)
        if isinstance(found, Picture):
            pictures.append(found)
        outcomes.append(USED if isinstance(found, Picture) else found)
    return pictures, outcomes


def _picture(image: PostImage, root: Path | None) -> Picture | ImageOutcome:
    if image.url is not None:
        return BY_URL
    if image.path is None:
        try:
            data = base64.b64decode(image.data or "", validate=True)
        except ValueError:
            return UNDECODABLE
    elif root is None:
        _say_that_there_is_no_root()
        return NO_ROOT
    else:
        try:
            data = read_below(root, image.path)
        except BrokenImage:
            return UNREADABLE
    try:
        return decode_image(data, image.alt)
    except BrokenImage:
        return UNDECODABLE


@functools.cache
def _say_that_there_is_no_root() -> None:
    """Once per process: a forgotten setting would cost every post its images, and only a metric would tell."""
    log.warning("images with a path are skipped: worker.images_root (--images-root) is not set")
