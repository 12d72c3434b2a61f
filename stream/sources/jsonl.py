"""Lines of JSON as posts to send: read one by one, bounded in size, images looked up or embedded.

Lines are sent as they are; only the short form `"image": "some/path.jpg"` becomes `images`, and pictures are put into
the post where asked for. Judging posts is the worker's task, at its edge.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from models.core.errors import BadPost, BrokenImage
from models.posts.post_json import expand_image, read_fields
from stream.images.local_files import find_below, read_below
from stream.messages.base import MAX_POST_BYTES
from stream.sources.base import Outgoing, SourcePost

MAX_LINE = 4 * MAX_POST_BYTES
"""Bytes of a line of which more is not even read into memory."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input: its number from 1, its bytes stripped, and whether it was cut short."""

    number: int
    data: bytes
    cut: bool = False


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines that are not blank, each as soon as it is there; never more than MAX_LINE bytes of one."""
    number = 0
    while data := stream.readline(MAX_LINE):
        number += 1
        cut = len(data) == MAX_LINE and not data.endswith(b"\n")
        if cut:
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
        if data := data.strip():
            yield Line(number, data, cut)


class JsonLines:
    """Lines as a source of posts: the cursor is the line's number. Whoever opened their stream closes it."""

    def __init__(self, lines: Iterator[Line], images_root: Path | None, embed_images: bool) -> None:
        self._lines, self._root, self._embed = lines, images_root, embed_images
        self._after = 0

    def start(self, cursor: str | None = None) -> None:
        """Begin at the first line, or skip those up to `cursor`."""
        self._after = int(cursor or 0)

    def posts(self) -> Iterator[SourcePost]:
        """What to send for each line."""
        for line in self._lines:
            if line.number > self._after:
                post = prepare(line, self._root, self._embed)
                yield SourcePost(post, str(line.number), len(line.data) + 1, line.cut)

    def stop(self) -> None:
        """Nothing is held."""


def prepare(line: Line, root: Path | None, embed: bool) -> Outgoing:
    """What to send for a line: its own bytes, unless an image had to be written differently."""
    try:
        post = read_fields(line.data)
    except BadPost:
        return Outgoing(f"line {line.number}", line.data)
    changed, missing = expand_image(post), 0
    if root is not None:
        for image in _images_with_path(post):
            try:
                if embed:
                    image["data"] = base64.b64encode(read_below(root, image["path"])).decode()
                    del image["path"]
                    changed = True
                else:
                    find_below(root, image["path"])
            except BrokenImage:  # the post is sent all the same, and tagged without it
                missing += 1
    key = _key(post)
    name = f"post {key} (line {line.number})" if key else f"line {line.number}"
    return Outgoing(
        name, orjson.dumps(post) if changed else line.data, key.encode() if key else None, missing
    )


def _key(post: dict[str, Any]) -> str | None:
    """The id as the contract reads it: a string or an integer; None for what the worker will refuse."""
    value = post.get("id")
    return (
        str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" else None
    )


def _images_with_path(post: dict[str, Any]) -> list[dict[str, Any]]:
    images = post.get("images")
    found = images if isinstance(images, list) else []
    return [image for image in found if isinstance(image, dict) and isinstance(image.get("path"), str)]
