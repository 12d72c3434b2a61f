"""The pictures of a post: bytes from `data`, or from a file below the workers' images root, decoded; and those
that were fetched by URL before (stream/images/url_fetcher.py).

No image, a broken one, one that may not be read: normal inputs. The post is tagged without, and the
outcome of every image is counted by reason. Runs in a thread pool.
"""

import functools
import logging
from collections.abc import Mapping
from pathlib import Path

from models.core.errors import BrokenImage
from models.posts.image_fields import image_bytes
from models.vision.decoding import Picture, decode_image
from stream.images.local_files import read_below
from stream.images.outcomes import NO_ROOT, UNDECODABLE, UNREADABLE, USED, ImageOutcome
from stream.messages.posts import Post, PostImage

Fetched = Mapping[PostImage, Picture | ImageOutcome]
"""The picture of each of a post's images that has a URL, or why there is none."""

log = logging.getLogger("trimod.worker")


def fetch_pictures(
    post: Post, root: Path | None, fetched: Fetched
) -> tuple[list[Picture], list[ImageOutcome]]:
    """The pictures of `post` that could be had, in order, and the outcome of each of its images. All that
    have a URL are in `fetched`."""
    pictures: list[Picture] = []
    outcomes: list[ImageOutcome] = []
    for image in post.images:
        found = fetched[image] if image.url is not None else _picture(image, root)
        if isinstance(found, Picture):
            pictures.append(found)
        outcomes.append(USED if isinstance(found, Picture) else found)
    return pictures, outcomes


def _picture(image: PostImage, root: Path | None) -> Picture | ImageOutcome:
    if image.path is None:
        try:
            data = image_bytes(image.data or "")
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
