"""Posts of a file or pipe as posts to send: images are looked up or embedded.

Posts are sent as they are; only the short form `"image": "some/path.jpg"` becomes `images`, and the bytes of images are
put into the post on request. The worker decides whether a post is valid.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.core.errors import BadPost, BrokenImage
from models.posts.field_notes import FieldNotes
from models.posts.image_fields import read_images
from models.posts.json_values import dump_fields
from models.posts.lenient_fields import identifier
from models.posts.lines import MAX_LINE, Line, read_lines
from models.posts.post_json import expand_image, read_fields
from stream.images.local_files import find_below, read_below
from stream.sources.base import Outgoing, SourcePost

__all__ = ["MAX_LINE", "JsonLines", "Line", "prepare", "read_lines"]


class JsonLines:
    """Lines as a source of posts. The cursor is the line's number, or that of the item or row in other formats.

    The caller closes their stream."""

    def __init__(self, lines: Iterator[Line], images_root: Path | None, embed_images: bool) -> None:
        self._lines, self._root, self._embed = lines, images_root, embed_images
        self._after = 0

    def start(self, cursor: str | None = None) -> None:
        """Begin at the first line, or skip those up to `cursor`."""
        self._after = int(cursor or 0)

    def posts(self) -> Iterator[SourcePost]:
        """The post to send for each line."""
        for line in self._lines:
            if line.number > self._after:
                post = prepare(line, self._root, self._embed)
                yield SourcePost(post, str(line.number), len(line.data) + 1, line.cut)

    def stop(self) -> None:
        """There is nothing to release."""


def prepare(line: Line, root: Path | None, embed: bool) -> Outgoing:
    """The post to send for a line: its own bytes, unless an image must be written differently."""
    try:
        post = read_fields(line.data)
    except BadPost:
        return Outgoing(line.name, line.data)
    changed, missing = expand_image(post), 0
    images = [] if root is None else read_images(post, FieldNotes())
    for image in images:
        if root is None or "path" not in image:
            continue
        try:
            if embed:
                image["data"] = base64.b64encode(read_below(root, image["path"])).decode()
                del image["path"]
                post["images"], changed = images, True
            else:
                find_below(root, image["path"])
        except BrokenImage:  # the post is sent anyway, and tagged without the image
            missing += 1
    key = _key(post)
    name = f"post {key} ({line.name})" if key else line.name
    value = dump_fields(post) if changed else line.data
    return Outgoing(name, value, key.encode() if key else None, missing)


def _key(post: dict[str, Any]) -> str | None:
    """The id as the worker reads it; None if it will reject it."""
    value = identifier(post.get("id"))
    return value if isinstance(value, str) and value else None
