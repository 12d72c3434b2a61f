"""The protocol of a source of posts: the extension point behind `trimod ingest`.

A source yields its posts one after the other, each with a cursor: the position right after that post, in a form that
the source defines (the number of a line, the time of an event). Once Kafka has confirmed a post and all posts before
it, its cursor may be stored as a checkpoint. A source that starts there omits no post: posts that were sent after the
checkpoint are sent again, with the same ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A post as it is sent; `missing_images` of its images were not found below the images root."""

    name: str
    value: bytes
    key: bytes | None = None
    missing_images: int = 0


@dataclass(frozen=True, slots=True)
class SourcePost:
    """A post of a source."""

    post: Outgoing
    cursor: str
    """The position to start from for the posts after this one."""
    size: int
    """Its bytes in the source."""
    cut: bool = False
    """Whether it was too large to be read completely; then it cannot be sent."""


class Source(Protocol):
    """A source of posts. Start it once and stop it once."""

    def start(self, cursor: str | None = None) -> None:
        """Start right after the post with this cursor, or at the beginning."""
        ...

    def posts(self) -> Iterator[SourcePost]:
        """Each post as soon as it is available; waits for the next one, and ends when the source ends."""
        ...

    def stop(self) -> None:
        """Release the resources of `start`, also after an error or Ctrl-C. No posts are requested after it."""
        ...
