"""Dead letters: read posts that could not be tagged, and send them back to their original topics.

A record of the dead-letter topic has the original key and value, unchanged, and these text headers: `topic`,
`partition`, `offset`, `error` (class), `message`, `model_version` and `time` (epoch ms). Only workers write them. The
ID of a dead letter is its position in the dead-letter topic, `PARTITION:OFFSET`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
from kafka import TopicPartition

from models.core.errors import BadPost, TrimodError
from stream.config.kafka import Kafka
from stream.kafka.reader import TopicReader, open_topic
from stream.kafka.sender import open_sender
from stream.messages.posts import decode_post


@dataclass(frozen=True, slots=True)
class DeadEntry:
    """A record of the dead-letter topic without its value, which has `size` bytes: enough for a list.

    `headers` that are not valid UTF-8 are escaped.
    """

    partition: int
    offset: int
    key: bytes | None
    size: int
    headers: dict[str, str]

    @property
    def name(self) -> str:
        """`PARTITION:OFFSET` in the dead-letter topic."""
        return f"{self.partition}:{self.offset}"

    @property
    def origin(self) -> str:
        """`TOPIC:PARTITION:OFFSET` where the post was read."""
        return ":".join(self.headers.get(header, "?") for header in ("topic", "partition", "offset"))

    @property
    def died_at(self) -> int | None:
        """Epoch milliseconds; None if the header is missing or not a number."""
        time = self.headers.get("time", "")
        return int(time) if time.isascii() and time.isdigit() else None


@dataclass(frozen=True, slots=True)
class DeadLetter(DeadEntry):
    """One record of the dead-letter topic."""

    value: bytes | None

    @property
    def entry(self) -> DeadEntry:
        """The same without its value."""
        return DeadEntry(self.partition, self.offset, self.key, self.size, self.headers)


def list_dead(kafka: Kafka, newest: int | None) -> list[DeadEntry]:
    """The `newest` (at least 1) dead letters, or all; oldest first. Values are not kept in memory."""
    with open_topic(kafka, kafka.dead_topic) as reader:
        ends = reader.ends()
        if newest is not None:  # at most this many from each partition
            begins = reader.beginnings()
            reader.seek({part: max(begins[part], ends[part] - newest) for part in ends})
        found = [letter.entry for letter in _letters(reader, ends)]
    found.sort(key=lambda letter: (letter.died_at or 0, letter.partition, letter.offset))
    return found if newest is None else found[-newest:]


def get_dead(kafka: Kafka, names: Iterable[str]) -> list[DeadLetter]:
    """The dead letters of these names, in the order given. Raises TrimodError for an invalid ID."""
    places = [_place(kafka, name) for name in names]
    with open_topic(kafka, kafka.dead_topic) as reader:
        return [_read_one(reader, partition, offset) for partition, offset in places]


def replay(kafka: Kafka, letters: Iterable[DeadLetter]) -> int:
    """Send the original bytes and keys back to their topics; returns how many the broker confirmed.

    Raises TrimodError with the first failure.
    """
    with open_sender(kafka) as sender:
        for letter in letters:
            if "topic" not in letter.headers:
                raise TrimodError(
                    f"dead letter {letter.name} has no header 'topic', so it cannot be sent back"
                )
            # its key is empty where it had neither key nor value: the client does not send such a record
            key = b"" if letter.key is None and letter.value is None else letter.key
            sender.send(letter.name, letter.headers["topic"], letter.value, key)
        sender.finish()
    if sender.failures:
        name, reason = sender.failures[0]
        raise TrimodError(
            f"not sent back: {len(sender.failures)} dead letters; first failure: {name}: {reason}"
        )
    return sender.sent


def corrected(letter: DeadLetter, value: bytes) -> DeadLetter:
    """`letter` with a corrected post, to be sent to the same topic under the same key.

    Raises TrimodError if `value` is not a post, or has another id than the original, if that can be read: a post with
    another id is another post.
    """
    try:
        post = decode_post(value)
    except BadPost as error:
        raise TrimodError(f"not sent back: the corrected post is still invalid: {error}") from None
    before = _post_id(letter.value)
    if before not in (None, post.id):
        raise TrimodError(
            f"not sent back: the corrected post has the id {post.id!r}, and dead letter {letter.name} has {before!r}: "
            "keep the id (use `trimod ingest` for another post)"
        )
    return replace(letter, value=value, size=len(value))


def _post_id(value: bytes | None) -> str | None:
    """The id in the bytes of a bad post; None if it cannot be read."""
    try:
        fields = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    found = fields.get("id") if isinstance(fields, dict) else None
    return str(found) if isinstance(found, str | int) and str(found) else None


def all_dead(kafka: Kafka) -> Iterator[DeadLetter]:
    """Every dead letter that is kept now, partition by partition, without keeping all of them in memory."""
    with open_topic(kafka, kafka.dead_topic) as reader:
        yield from _letters(reader, reader.ends())


def _letters(reader: TopicReader, ends: dict[TopicPartition, int]) -> Iterator[DeadLetter]:
    for records in reader.until(ends):
        for record in records:
            yield _letter(record)


def _letter(record: Any) -> DeadLetter:
    headers = {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in record.headers}
    size = len(record.value or b"")
    return DeadLetter(record.partition, record.offset, record.key, size, headers, record.value)


def _place(kafka: Kafka, name: str) -> tuple[TopicPartition, int]:
    """Partition and offset of an ID; it may start with the topic."""
    parts = name.removeprefix(f"{kafka.dead_topic}:").split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise TrimodError(
            f"invalid dead-letter ID {name!r}: expected PARTITION:OFFSET, as shown by `trimod dead list`"
        )
    return TopicPartition(kafka.dead_topic, int(parts[0])), int(parts[1])


def _read_one(reader: TopicReader, partition: TopicPartition, offset: int) -> DeadLetter:
    begins, ends = reader.beginnings(), reader.ends()
    if partition not in ends or not begins[partition] <= offset < ends[partition]:
        raise TrimodError(f"no dead letter {partition.partition}:{offset} in {partition.topic}")
    reader.seek({**ends, partition: offset})  # skip the other partitions
    for letter in _letters(reader, {**ends, partition: offset + 1}):
        return letter
    raise TrimodError(f"dead letter {partition.partition}:{offset} is no longer kept")
