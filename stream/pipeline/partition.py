"""One partition from assignment to revocation: what was taken in, what is done, what may be committed.

The offset to commit moves only past published and counted posts, in offset order. An object of this class serves one
assignment. The next assignment gets a new object, even for the same partition. If posts of the old one still leave the
pipeline, they find it closed."""

import asyncio
import enum
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from aiokafka import TopicPartition

from stream.pipeline.journal import JournalEntry
from stream.pipeline.reorder_buffer import Reorder


class Finished(Protocol):
    """The result of the pipeline for a post."""

    @property
    def offset(self) -> int: ...


SEEK_AGAIN = 5.0
"""Seconds for posts beyond the one that made us read again, before we seek once more."""

F = TypeVar("F", bound=Finished)


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading starts, as of the assignment."""

    topic_id: str
    """Kafka's UUID of the topic."""
    committed: int | None

    @property
    def first(self) -> int:
        """The first offset to expect; if the log begins later, a seek finds out."""
        return self.committed or 0


class Verdict(enum.Enum):
    """What to do with a post."""

    TAKE = enum.auto()
    DROP = enum.auto()
    """It was taken in before, or was fetched before a seek."""
    SEEK = enum.auto()
    """Posts before this one are missing: drop it and read again, unless they are gone from the log."""


class Partition(Generic[F]):
    """One assignment of the partition `id_` in the group's `generation`; the limits are posts and bytes in progress."""

    def __init__(self, id_: TopicPartition, generation: int, max_posts: int, max_bytes: int) -> None:
        self.id = id_
        self.generation = generation
        self.work: Reorder[F] = Reorder(max_posts, max_bytes)
        self.start: asyncio.Future[Start | None] = asyncio.get_running_loop().create_future()
        """None if the partition was closed before its start was known."""
        self.claim: JournalEntry | None = None
        """Our entry in the journal; known before `start`."""
        self.committed = -1
        """Offset that we committed; -1 before the first commit."""
        self.done = -1
        """Offset to commit: all posts below it are published and counted; -1 if nothing is done yet."""
        self.begin = self.end = 0
        """Bounds of the log as last read: both may have grown since."""
        self._next: int | None = None
        self._passed = 0
        self._suspect: int | None = None
        self._sought = 0.0

    @property
    def name(self) -> str:
        """For the log."""
        return f"{self.id.topic}:{self.id.partition}"

    @property
    def closed(self) -> bool:
        return self.work.closed

    @property
    def begun(self) -> Start | None:
        """Its start; None if that is not known yet, or never will be."""
        return self.start.result() if self.start.done() else None

    @property
    def entered(self) -> int:
        """Highest offset taken in, -1 before the first."""
        return -1 if self._next is None else self._next - 1

    @property
    def first(self) -> int:
        """The offset at which the next owner would start, given what is committed."""
        return max(self.committed, self.begun.first if self.begun else 0)

    def expected(self, start: Start) -> int:
        """The offset of the next post, or less if the log has gaps."""
        return max(start.first, self._passed) if self._next is None else self._next

    def judge(self, start: Start, offset: int) -> Verdict:
        """Whether the post at `offset` is the next one to take in.

        Only the first of an assignment is suspect. A message that Faust held during a rebalance could arrive with the
        new generation's number, and we would commit past all posts before it. A jump is accepted if the log begins
        there (retention), or if reading again from the start returns the same post (compacted or aborted records)."""
        if self._next is not None:
            return Verdict.TAKE if offset >= self._next else Verdict.DROP
        first = self.expected(start)
        if offset < first:
            return Verdict.DROP
        if offset <= max(first, self.begin):
            return Verdict.TAKE
        if self._suspect is None:
            return Verdict.SEEK
        if offset <= self._suspect:
            return Verdict.TAKE
        # Fetched together with the suspect post, before the seek. If this continues, the post is gone from the log.
        return Verdict.SEEK if time.monotonic() >= self._sought + SEEK_AGAIN else Verdict.DROP

    def seek_before(self, start: Start, offset: int) -> int:
        """The offset to read again from, because posts before `offset` are missing."""
        self._suspect, self._sought = offset, time.monotonic()
        return max(self.expected(start), self.begin)

    def enter(self, offset: int, size: int) -> None:
        """Take in the post at `offset`, of `size` bytes."""
        self.work.enter(offset, size)
        self._next = offset + 1

    def skip(self, offset: int, result: F) -> None:
        """All posts below `offset` are taken in: `result`, of the offset before, allows to commit it.

        The first post of the assignment remains suspect."""
        self.work.enter(result.offset, 0)
        self.work.finish(result.offset, result)
        if self._next is None:
            self._passed = offset
        else:
            self._next = offset

    def release(self, results: Sequence[F]) -> None:
        """These posts, the oldest in progress, are published and counted."""
        self.work.release(len(results))
        self.done = results[-1].offset + 1

    def close(self) -> None:
        """Drop the posts in progress: the partition is no longer ours."""
        self.work.close()
        if not self.start.done():
            self.start.set_result(None)
