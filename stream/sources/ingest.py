"""Sends the posts of a source (stream/sources/base.py) to the posts topic as they come; today, those of files.

An invalid post is sent too, without a key if it has no id, so that it is in the dead-letter topic with the reason and
nothing is lost. A post that is too large for the topic is reported and left out. If the source turns out to be damaged,
the posts before the damage are sent and the reason is reported.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from models.core.errors import UnreadableFile
from stream.config.kafka import Kafka
from stream.kafka.sender import open_sender
from stream.messages.base import MAX_POST_BYTES
from stream.sources.base import Source, SourcePost
from stream.sources.jsonl import JsonLines, Line

ENVELOPE = 1024
"""Bytes that Kafka's framing may add to a record, apart from its key."""


@dataclass
class Report:
    """The outcome. `problems` has (which post, why) of every post that was not delivered."""

    sent: int = 0
    seconds: float = 0.0
    missing_images: int = 0
    interrupted: bool = False
    problems: list[tuple[str, str]] = field(default_factory=list)
    damage: str = ""
    """Why the source could not be read to its end."""

    @property
    def rate(self) -> float:
        """Posts per second."""
        return self.sent / self.seconds if self.seconds else 0.0


def ingest_lines(
    lines: Iterator[Line],
    kafka: Kafka,
    rate: float | None = None,
    images_root: Path | None = None,
    embed_images: bool = False,
    progress: Callable[[SourcePost], None] = lambda sourced: None,
) -> Report:
    """`ingest` with the posts of a file as the source.

    images_root: the directory that image paths are relative to; if given, missing images are counted. embed_images:
    send the bytes of images instead of their paths.
    """
    return ingest(JsonLines(lines, images_root, embed_images), kafka, rate, progress)


def ingest(
    source: Source,
    kafka: Kafka,
    rate: float | None = None,
    progress: Callable[[SourcePost], None] = lambda sourced: None,
) -> Report:
    """Send every post of `source` to the posts topic and wait until the broker has confirmed them.

    rate: posts per second at most, evenly spaced. Ctrl-C stops the reading, and posts that were read are still sent.
    Raises PassingFault if no broker answers.
    """
    report = Report()
    with open_sender(kafka) as sender:
        started = time.monotonic()
        pace = _pace(rate)
        source.start()
        try:
            for sourced in source.posts():
                next(pace)
                post = sourced.post
                report.missing_images += post.missing_images
                if reason := _too_large(sourced):
                    report.problems.append((post.name, reason))
                else:
                    sender.send(post.name, kafka.posts_topic, post.value, post.key)
                progress(sourced)
        except KeyboardInterrupt:
            report.interrupted = True
        except UnreadableFile as error:
            report.damage = str(error)
        finally:
            source.stop()
        sender.finish()
        report.seconds = time.monotonic() - started
    report.sent = sender.sent
    report.problems += sender.failures
    return report


def _too_large(sourced: SourcePost) -> str:
    """Why the topic would reject the post; empty if it would not."""
    size = len(sourced.post.value) + len(sourced.post.key or b"") + ENVELOPE
    if not sourced.cut and size <= MAX_POST_BYTES:
        return ""
    more = "more than " if sourced.cut else ""
    return f"{more}{size} bytes with its envelope, at most {MAX_POST_BYTES} are taken"


def _pace(rate: float | None) -> Iterator[None]:
    """Yields at most `rate` times a second, evenly spaced, without a burst after a pause of the input."""
    due = time.monotonic()
    while True:
        if rate:
            due = max(due, time.monotonic() - 1.0)
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / rate
        yield
