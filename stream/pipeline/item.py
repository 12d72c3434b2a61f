"""A post in progress in the worker, and its outcome.

This file turns a record of the posts topic into a post in progress, or into a dead letter if it is invalid. A post
counts under its own time if it has one, otherwise under Kafka's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stream.config.kafka import Kafka
from stream.counters.store import CountUpdate
from stream.errors import BadPost
from stream.images.loader import Fetched
from stream.kafka.publisher import OutgoingRecord
from stream.messages.posts import Post, decode_post
from stream.messages.receipts import Origin, Receipt, SkipReason
from stream.pipeline.model import ActiveModel, Model, PreparedPost, Tagged
from stream.pipeline.partition import Partition
from stream.pipeline.records import dead_record, now, tagged_records
from stream.pipeline.tagging import Failed


@dataclass(slots=True, eq=False)
class Work:
    """A post in progress. `key` and `value` are the record's bytes, kept for the dead-letter topic. Once it is tagged,
    `value`, `post` and the inputs are freed (stages.py): what counting needs is in ProcessedPost."""

    partition: Partition[ProcessedPost]
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
    """The model that has prepared it, and must also tag it."""
    prepared: PreparedPost | None = None

    @property
    def place(self) -> str:
        """For the log, as `posts[3]@17`."""
        return f"{self.partition.id.topic}[{self.partition.id.partition}]@{self.offset}"

    @property
    def origin(self) -> Origin:
        id_ = self.partition.id
        return Origin(topic=id_.topic, topic_id=self.topic_id, partition=id_.partition, offset=self.offset)


@dataclass(frozen=True, slots=True)
class ProcessedPost:
    """The outcome of a post: what to send and what to count. It is a dead letter if `error` is set, and was not tagged
    for the reason `skipped`. Without records it is not a post: the offsets up to it are passed."""

    work: Work
    records: Sequence[OutgoingRecord]
    counted: CountUpdate
    error: str | None = None
    skipped: SkipReason | None = None

    @property
    def offset(self) -> int:
        return self.work.offset


def admit(work: Work) -> Post | Failed:
    """The post in the record's bytes, or why it is invalid."""
    try:
        return decode_post(work.value)
    except BadPost as error:
        return Failed.of(error)


def give_up(kafka: Kafka, model: Model, work: Work, failed: Failed) -> ProcessedPost:
    """The dead-letter record of a post, and a count that only moves the mark past it."""
    record = dead_record(kafka.dead_topic, model.version, work.origin, work.key, work.value, failed)
    counted = CountUpdate(work.offset, "", "", work.timestamp, now(), ())
    return ProcessedPost(work, [record], counted, failed.error)


def _done(work: Work, records: list[OutgoingRecord], receipt: Receipt) -> ProcessedPost:
    return ProcessedPost(work, records, CountUpdate.of(receipt), skipped=receipt.reason)


def conclude(kafka: Kafka, model: Model, work: Work, outcome: Tagged | Failed) -> ProcessedPost:
    """What to send and count for a post with this outcome."""
    if isinstance(outcome, Failed):
        return give_up(kafka, model, work, outcome)
    post = work.post
    assert post is not None  # only decoded posts are tagged
    created_at = work.timestamp if post.created_at is None else post.created_at
    try:
        records, receipt = tagged_records(
            kafka, model, post, work.origin, created_at, outcome.mentions, outcome.skipped
        )
    except Exception as error:  # a mention that does not fit the contract costs its post, not the worker
        return give_up(kafka, model, work, Failed.of(error))
    return _done(work, records, receipt)
