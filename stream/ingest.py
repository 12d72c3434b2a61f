"""Posts from lines of JSON onto the posts topic, as they come.

Lines are sent as they are; only the short form `"image": "some/path.jpg"` becomes `images`, and pictures
are put into the post where asked for. Judging posts is the worker's task, at its edge: a line that is no
post is sent too (without a key where it has no id), so that it ends up in the dead-letter topic with its
reason and nothing is lost. Blank lines are skipped, and a line too large for the topic is named and left
out.
"""

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from models.core.errors import BrokenImage
from stream.contracts import MAX_POST_BYTES
from stream.images_root import find_below, read_below
from stream.sending import open_sender
from stream.settings import Kafka

MAX_LINE = 4 * MAX_POST_BYTES
"""Bytes of a line of which more is not even read into memory."""
ENVELOPE = 1024
"""Bytes that Kafka's own framing of a record, besides its key, may add to it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input: its number from 1, its bytes stripped, and whether it was cut short."""

    number: int
    data: bytes
    cut: bool = False


@dataclass
class Report:
    """What became of the lines. `problems` are (which post, why) of every post that was not delivered."""

    sent: int = 0
    seconds: float = 0.0
    missing_images: int = 0
    interrupted: bool = False
    problems: list[tuple[str, str]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Posts per second."""
        return self.sent / self.seconds if self.seconds else 0.0


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


def ingest_lines(
    lines: Iterator[Line],
    kafka: Kafka,
    rate: float | None = None,
    images_root: Path | None = None,
    embed_images: bool = False,
    progress: Callable[[Line], None] = lambda line: None,
) -> Report:
    """Send every line to the posts topic and wait until the broker has confirmed them.

    rate: posts per second at most, evenly. images_root: where paths of images lead; with it, missing
    pictures are counted. embed_images: send the pictures' bytes instead of their paths. Ctrl-C ends the
    input, not the sending of what was read. Raises PassingFault where no broker answers.
    """
    report = Report()
    with open_sender(kafka) as sender:
        started = time.monotonic()
        pace = _pace(rate)
        try:
            for line in lines:
                next(pace)
                post = prepare(line, images_root, embed_images)
                report.missing_images += post.missing_images
                size = len(post.value) + len(post.key or b"") + ENVELOPE
                if line.cut or size > MAX_POST_BYTES:
                    more = "more than " if line.cut else ""
                    reason = f"{more}{size} bytes with its envelope, at most {MAX_POST_BYTES} are taken"
                    report.problems.append((post.name, reason))
                else:
                    sender.send(post.name, kafka.posts_topic, post.value, post.key)
                progress(line)
        except KeyboardInterrupt:
            report.interrupted = True
        sender.finish()
        report.seconds = time.monotonic() - started
    report.sent = sender.sent
    report.problems += sender.failures
    return report


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A line as it is sent; `missing_images` of its pictures are not below the images root."""

    name: str
    value: bytes
    key: bytes | None = None
    missing_images: int = 0


def prepare(line: Line, root: Path | None, embed: bool) -> Outgoing:
    """What to send for a line: its own bytes, unless an image had to be written differently."""
    try:
        post = orjson.loads(line.data)
    except orjson.JSONDecodeError:
        post = None
    if not isinstance(post, dict):
        return Outgoing(f"line {line.number}", line.data)
    changed, missing = _expand_image(post), 0
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


def _expand_image(post: dict[str, Any]) -> bool:
    """Turn the short form `image` into `images`; whether there was one."""
    if "images" in post or not isinstance(post.get("image"), str):
        return False
    path = post.pop("image")
    post["images"] = [{"path": path}] if path else []
    return True


def _images_with_path(post: dict[str, Any]) -> list[dict[str, Any]]:
    images = post.get("images")
    found = images if isinstance(images, list) else []
    return [image for image in found if isinstance(image, dict) and isinstance(image.get("path"), str)]


def _pace(rate: float | None) -> Iterator[None]:
    """Yields at most `rate` times a second, evenly, and does not rush after a pause of the input."""
    due = time.monotonic()
    while True:
        if rate:
            due = max(due, time.monotonic() - 1.0)
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / rate
        yield
