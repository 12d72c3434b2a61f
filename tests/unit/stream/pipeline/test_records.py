"""What goes out for a post: events and a receipt, or the dead letter with its origin and reason."""

import asyncio

import orjson
from aiokafka import TopicPartition

from models.core.post import Mention
from stream.config.kafka import Kafka
from stream.counters.store import CountUpdate
from stream.pipeline.item import Work, admit, conclude
from stream.pipeline.model import Model, Tagged
from stream.pipeline.partition import Partition
from stream.pipeline.tagging import Failed

MODEL = Model("fake", "1")
PARIS = (Mention(0, 5, "Paris", "LOC", 0.9, {"text": 1.0}), "paris")


def work(value: bytes | None, key: bytes | None = b"k") -> Work:
    async def partition() -> Partition:
        return Partition(TopicPartition("posts", 3), 1, 10, 1000)

    return Work(asyncio.run(partition()), "uuid", 42, key, value, 1_700_000_000_000)


def admitted(value: bytes) -> Work:
    taken = work(value)
    post = admit(taken)
    assert not isinstance(post, Failed)
    taken.post = post
    return taken


def test_a_tagged_post_becomes_events_and_last_a_receipt() -> None:
    done = conclude(Kafka(), MODEL, admitted(b'{"id":"7","text":"Paris","source":"s"}'), Tagged([PARIS]))
    event, receipt = done.records
    assert ("entities", b"LOC:paris") == (event.topic, event.key)
    assert ("posts.tagged", b"posts:3") == (receipt.topic, receipt.key)
    found = orjson.loads(receipt.value or b"")
    assert {"topic": "posts", "topic_id": "uuid", "partition": 3, "offset": 42} == found["origin"]
    assert orjson.loads(event.value or b"")["event_id"] == found["mentions"][0]["event_id"]
    assert (42, "s", "7", (("LOC", "paris"),)) == (
        done.counted.offset, done.counted.source, done.counted.post_id, done.counted.mentions,
    )  # fmt: skip


def test_a_post_counts_under_its_own_time_or_else_under_kafkas() -> None:
    own = conclude(Kafka(), MODEL, admitted(b'{"id":"7","text":"","created_at":1}'), Tagged([]))
    kafkas = conclude(Kafka(), MODEL, admitted(b'{"id":"7","text":""}'), Tagged([]))
    assert (1_000, 1_700_000_000_000) == (own.counted.created_at, kafkas.counted.created_at)


def test_a_post_without_mentions_still_has_a_receipt() -> None:
    done = conclude(Kafka(), MODEL, admitted(b'{"id":"7","text":""}'), Tagged([]))
    assert ["posts.tagged"] == [record.topic for record in done.records]


def test_a_bad_post_is_dead_with_its_bytes_untouched_and_the_reason() -> None:
    taken = work(b'{"id":"7"}', key=b"\xff\x00")
    failed = admit(taken)
    assert Failed("BadPost", "field 'text' is missing") == failed
    (record,) = conclude(Kafka(), MODEL, taken, failed).records
    assert ("posts.dead", b"\xff\x00", b'{"id":"7"}') == (record.topic, record.key, record.value)
    headers = dict(record.headers)
    assert headers.pop("time").isdigit()
    assert {
        "topic": b"posts",
        "partition": b"3",
        "offset": b"42",
        "error": b"BadPost",
        "message": b"field 'text' is missing",
        "model_version": b"1",
    } == headers


def test_only_a_record_without_key_and_value_gets_an_empty_key() -> None:
    """No Python client sends such a record: the worker would meet it again after every restart."""
    (nothing,) = conclude(Kafka(), MODEL, work(None, key=None), Failed("BadPost", "empty")).records
    (keyless,) = conclude(Kafka(), MODEL, work(b"x", key=None), Failed("BadPost", "no JSON")).records
    assert [(b"", None), (None, b"x")] == [(nothing.key, nothing.value), (keyless.key, keyless.value)]


def test_a_dead_post_only_moves_the_mark() -> None:
    done = conclude(Kafka(), MODEL, work(None), Failed("BadPost", "tombstone"))
    assert CountUpdate(42, "", "", 1_700_000_000_000, done.counted.tagged_at, ()) == done.counted


def test_mentions_that_do_not_fit_the_contract_cost_their_post_alone() -> None:
    nonsense = (Mention(0, 5, "\ud800", "LOC", 0.9), "\ud800")  # no UTF-8 for it
    done = conclude(Kafka(), MODEL, admitted(b'{"id":"7","text":"Paris"}'), Tagged([nonsense]))
    assert done.error is not None
    assert ["posts.dead"] == [record.topic for record in done.records]
