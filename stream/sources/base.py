"""What a source of posts is: the extension point behind `trimod ingest`.

A source gives its posts one after the other, and a cursor with each: the place right after that post, in the source's
own words (the number of a line, the time of an event). A cursor may be checkpointed, which is to say stored to be
started from later, once Kafka has confirmed its post and all posts before it. Then no post is left out: those that were
sent after the checkpoint come again, with the same ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A post as it is sent; `missing_images` of its pictures are not below the images root."""

    name: str
    value: bytes
    key: bytes | None = None
    missing_images: int = 0


@dataclass(frozen=True, slots=True)
class SourcePost:
    """A post of a source."""

    post: Outgoing
    cursor: str
    """Where to start for the posts after this one."""
    size: int
    """Bytes that the source gave for it."""
    cut: bool = False
    """Whether it was too large to be read to its end: it cannot be sent."""


class Source(Protocol):
    """Where posts come from; to be started once and stopped once."""

    def start(self, cursor: str | None = None) -> None:
        """Begin right after the post with this cursor, or where the source begins."""
        ...

    def posts(self) -> Iterator[SourcePost]:
        """Each post as soon as it is there; waits for the next one, and ends with the source."""
        ...

    def stop(self) -> None:
        """Let go of what `start` took, also after an error or Ctrl-C; no more posts are asked for."""
        ...
