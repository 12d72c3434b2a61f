"""A post on its way through the worker, and what is left of it when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.active import ActiveModel
from stream.contracts import Origin, Post
from stream.counters import Counted
from stream.fetch import Fetched
from stream.partition import Partition
from stream.records import Out


@dataclass(slots=True, eq=False)
class Work:
    """A post in work. `key` and `value` are the record's bytes, kept for the dead-letter topic."""

    partition: Partition[Done]
    topic_id: str
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    """Kafka's, in epoch milliseconds."""
    post: Post | None = None
    fetched: Fetched = field(default_factory=dict)
    """Its images by URL."""
    active: ActiveModel | None = None
    """The model that has prepared it, and so has to tag it."""
    prepared: Any = None

    @property
    def origin(self) -> Origin:
        id_ = self.partition.id
        return Origin(topic=id_.topic, topic_id=self.topic_id, partition=id_.partition, offset=self.offset)


@dataclass(frozen=True, slots=True)
class Done:
    """A post whose outcome is known: what to send and what to count; the outcome is dead where `error`
    says why. One without records is no post: offsets up to its own are passed."""

    work: Work
    records: Sequence[Out]
    counted: Counted
    error: str | None = None

    @property
    def offset(self) -> int:
        return self.work.offset
