"""The pictures of a post: bytes from `data`, or from a file below the workers' images root, decoded.

No image, a broken one, one that may not be read: normal inputs. The post is tagged without, and the
outcome of every image is counted by reason. Images by URL are skipped. Runs in a thread pool.
"""

from dataclasses import dataclass
from pathlib import Path

from models.errors import BrokenImage
from models.images import Picture, decode_image
from stream.contracts import Post, PostImage
from stream.images_root import read_below


@dataclass(frozen=True, slots=True)
class ImageOutcome:
    """What became of an image: `used`, `broken` or `skipped`; and a short reason, fit for a metric's
    label."""

    outcome: str
    reason: str = ""


USED = ImageOutcome("used")
UNDECODABLE = ImageOutcome("broken", "undecodable")
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
    if image.path is not None and root is None:
        return NO_ROOT
    try:
        data = image.data if image.path is None or root is None else read_below(root, image.path)
    except BrokenImage:
        return UNREADABLE
    try:
        return decode_image(data or b"", image.alt)
    except BrokenImage:
        return UNDECODABLE
