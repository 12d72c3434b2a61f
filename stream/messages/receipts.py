"""The record of the `posts.tagged` topic, one per post: what a rebuild of the counters reads."""

from typing import Literal

from pydantic import Field

from models.core.record import Record

DEFAULT_GROUP = "trimod"
"""The group of receipts of schema 1, which do not name it."""


SkipReason = Literal["language"]
"""Why a post was not tagged: it is in a language that `worker.languages` does not contain."""


class ReceiptMention(Record):
    event_id: str
    type: str
    canonical: str
    """As in the event. In receipts of schema 1 and 2 it has words and punctuation, and a rebuild recomputes it."""
    text: str = ""
    """The mention as in the post: the counters show the form seen most often. Schema 1 and 2 do not have it."""


class Origin(Record):
    """The topic, partition and offset of a post."""

    topic: str
    topic_id: str
    """Kafka's UUID of the topic: a topic that is deleted and created again restarts its offsets."""
    partition: int
    offset: int


class Receipt(Record):
    """A record of the `posts.tagged` topic, one per post, also when nothing was found.

    Its key is `topic:partition` of the origin.
    """

    schema_: Literal[1, 2, 3] = Field(3, alias="schema")
    """3 counts under keys of letters and digits, and has `text` of mentions; 2 has `group`; 1 has none of these."""
    group: str = DEFAULT_GROUP
    """Consumer group of the worker, under which the mentions were counted."""
    source: str
    post_id: str
    origin: Origin
    model_version: str
    created_at: int
    """Epoch milliseconds under which the mentions were counted."""
    tagged_at: int
    """Epoch milliseconds at which the worker tagged the post."""
    mentions: tuple[ReceiptMention, ...] = Field(strict=False)
    reason: SkipReason | None = None
    """Why the post was not tagged; absent or null if it was."""
