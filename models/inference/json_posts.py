"""Posts as JSON objects, as they are on the posts topic, made into posts to tag."""

import logging
from collections.abc import Mapping
from typing import Any

from models.core.post import Image, Post
from models.posts.image_fields import image_bytes
from models.posts.post_json import to_post

log = logging.getLogger(__name__)


def from_json(fields: Mapping[str, Any]) -> Post:
    """The post with these fields; `id` may be missing. Raises BadPost if `text` is not usable.

    Images need their bytes in `data`. An image with a path or a URL is left out and logged: only a worker has a
    directory of images, and may fetch URLs.
    """
    read = to_post({**fields, "id": "1"})
    images = []
    for image in read.images:
        try:
            if image.data is None:
                log.warning(
                    "tagged without an image: %s is not read here, only `data`", image.path or image.url
                )
            else:
                images.append(Image(image_bytes(image.data), image.alt))
        except ValueError:
            log.warning("tagged without an image: `data` is not valid base64")
    return Post(read.text, read.hashtags, tuple(images))
