"""Decodes the pictures of a post: from `data`, or from a file below the workers' images root.

Images with a URL were fetched before (stream/images/url_fetcher.py). Missing, broken and unreadable images are normal
inputs: the post is tagged without them. The outcome of every image is counted by reason. Runs in a thread pool.
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
"""For each image of a post with a URL: its picture, or the outcome if there is none."""

log = logging.getLogger("trimod.worker")


def fetch_pictures(
    post: Post, root: Path | None, fetched: Fetched
) -> tuple[list[Picture], list[ImageOutcome]]:
    """The usable pictures of `post`, in order, and the outcome of each of its images.

    `fetched` must contain all images with a URL.
    """
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
        _warn_no_root()
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
def _warn_no_root() -> None:
    """Once per process: with a forgotten setting, posts lose their images, and only a metric would show it."""
    log.warning("images with a path are skipped: worker.images_root (--images-root) is not set")
