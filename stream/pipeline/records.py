"""The records of a finished post: entity events and a receipt, or a dead letter.

Nothing is sent here. The receipt comes last, so that it is sent only after the events.
"""

import time
from collections.abc import Sequence

from models.core.post import Mention
from stream.config.kafka import Kafka
from stream.kafka.publisher import OutgoingRecord
from stream.messages.base import encode
from stream.messages.events import entity_event
from stream.messages.posts import Post
from stream.messages.receipts import Origin, Receipt, ReceiptMention, SkipReason
from stream.pipeline.model import Model
from stream.pipeline.tagging import Failed

LONGEST_MESSAGE = 2000
"""Characters of an error's message that a dead-letter record carries."""


def tagged_records(
    kafka: Kafka,
    model: Model,
    post: Post,
    origin: Origin,
    created_at: int,
    mentions: Sequence[tuple[Mention, str]],
    reason: SkipReason | None = None,
) -> tuple[list[OutgoingRecord], Receipt]:
    """The records of a tagged post, and its receipt. It counts under the time `created_at`, in epoch
    milliseconds; `mentions` come with their canonical forms. A skipped post has none, but a `reason`."""
    tagged_at = now()
    events = [
        entity_event(post, mention, canonical, created_at, model.name, model.version, tagged_at)
        for mention, canonical in mentions
    ]
    receipt = Receipt(
        group=kafka.group,
        source=post.source,
        post_id=post.id,
        origin=origin,
        model_version=model.version,
        created_at=created_at,
        tagged_at=tagged_at,
        mentions=tuple(
            ReceiptMention(
                event_id=event.event_id, type=event.type, canonical=event.canonical, text=event.text
            )
            for event in events
        ),
        reason=reason,
    )
    records = [
        OutgoingRecord(kafka.entities_topic, f"{event.type}:{event.canonical}".encode(), encode(event))
        for event in events
    ]
    key = f"{origin.topic}:{origin.partition}".encode()
    return [*records, OutgoingRecord(kafka.tagged_topic, key, encode(receipt))], receipt


def dead_record(
    topic: str, model_version: str, origin: Origin, key: bytes | None, value: bytes | None, failed: Failed
) -> OutgoingRecord:
    """The record of a post that cannot be tagged: the original key and bytes, with reason and origin in the headers. If
    it had neither, its key is empty, because no Python client sends such a record."""
    message = " ".join(failed.message.split())[:LONGEST_MESSAGE]
    headers = {
        "topic": origin.topic,
        "partition": str(origin.partition),
        "offset": str(origin.offset),
        "error": failed.error,
        "message": message,
        "model_version": model_version,
        "time": str(now()),
    }
    encoded = [(name, text.encode("utf-8", "backslashreplace")) for name, text in headers.items()]
    return OutgoingRecord(topic, b"" if key is None and value is None else key, value, encoded)


def now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
