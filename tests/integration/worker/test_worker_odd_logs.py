"""Workers on logs and counters that are not as expected: nothing stalls or crash-loops, and it is said."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as AioTopicPartition
from kafka import TopicPartition

from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.consumer.topic_identity import posts_topic_id
from stream.counters.store import Counters
from stream.errors import PassingFault
from stream.kafka.dead_letters import all_dead, replay
from stream.kafka.topics import admin_client
from tests.support.running_stack import one_partition
from tests.support.worker_processes import committed, post, read_all, receipts, send, wait_until, workers

pytestmark = pytest.mark.integration


def forget_records(kafka: Kafka, below: int) -> None:
    """As retention does it."""
    with admin_client(kafka) as admin:
        admin.delete_records({TopicPartition(kafka.posts_topic, 0): below})


@pytest.mark.parametrize("committed_before", [False, True])
def test_a_log_whose_beginning_is_gone_is_read_from_where_it_begins(
    settings: Settings, tmp_path: Path, committed_before: bool
) -> None:
    """A new group on an old topic, or one whose workers were away for longer than posts are kept; with a
    backlog, Faust's fetching is blocked in the middle of a batch when the worker finds out."""
    kafka = settings.kafka
    first = 50 if committed_before else 0
    if committed_before:
        send(one_partition(kafka), [post(n, "Rome") for n in range(first)])
        with workers(settings, tmp_path, 0.0) as running:
            wait_until(lambda: committed(kafka).get(0) == first, 30, "the first are committed")
            running[0].stop()
    send(one_partition(kafka), [post(n, "Rome") for n in range(first, 3000)], first)
    forget_records(kafka, 1000)
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: committed(kafka).get(0) == 3000, 40, "all that is left is committed")
        assert running[0].stop() < 10
    offsets = [receipt.origin.offset for receipt in receipts(kafka)]
    assert [*range(first), *range(1000, 3000)] == offsets


async def send_nothing(kafka: Kafka, topic: str, headers: Sequence[tuple[str, bytes]] = ()) -> None:
    """A record without key and value, which other clients than Python's can send, to partition 0."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.client._wait_on_metadata(topic)
        place = AioTopicPartition(topic, 0)
        confirmation = await producer._message_accumulator.add_message(
            place, None, None, 10, headers=list(headers)
        )
        await confirmation
    finally:
        await producer.stop()


def test_a_record_without_key_and_value_is_dead_like_others(settings: Settings, tmp_path: Path) -> None:
    """Python's producers refuse to send such a record: its dead letter must not be one."""
    kafka = settings.kafka
    asyncio.run(send_nothing(kafka, kafka.posts_topic))
    send(one_partition(kafka), [post(1, "Rome")], 1)
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: committed(kafka).get(0) == 2, 20, "both are committed")
        assert running[0].stop() < 10
    (dead,) = read_all(kafka, kafka.dead_topic)
    assert (b"", None) == (dead.key, dead.value)
    assert [1] == [receipt.origin.offset for receipt in receipts(kafka)]


def test_a_dead_letter_without_key_and_value_is_sent_back(kafka: Kafka) -> None:
    asyncio.run(send_nothing(kafka, kafka.dead_topic, [("topic", kafka.posts_topic.encode())]))
    assert 1 == replay(kafka, all_dead(kafka))
    (back,) = read_all(kafka, kafka.posts_topic)
    assert (b"", None) == (back.key, back.value)


def test_a_worker_that_cannot_look_up_how_to_start_ends(settings: Settings, tmp_path: Path) -> None:
    """It has no posts yet, so nothing but the look-up at the start meets the foreign data in Redis."""

    async def spoil() -> None:
        counters = Counters(settings.redis, settings.kafka.group)
        await counters.client.set(f"{counters.root}:0:marks", "not a hash")
        await counters.close()

    asyncio.run(spoil())
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: not running[0].running, 20, "the worker ends")
        assert "WRONGTYPE" in running[0].log.splitlines()[-1]


def test_a_topic_that_the_broker_does_not_know_yet_is_waited_for(kafka: Kafka) -> None:
    """Metadata may lack it for a moment, as while it is made anew."""
    with pytest.raises(PassingFault, match="no topic"):
        posts_topic_id(kafka.model_copy(update={"posts_topic": f"{kafka.posts_topic}.missing"}))


def test_counts_that_redis_loses_under_a_running_worker_are_noticed(
    settings: Settings, tmp_path: Path
) -> None:
    async def lose() -> None:
        counters = Counters(settings.redis, settings.kafka.group)
        async for key in counters.client.scan_iter(match=f"{counters.root}:*"):
            await counters.client.delete(key)
        await counters.close()

    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        for number in range(4):
            if number == 2:
                assert "not to be trusted" not in running[0].log
                asyncio.run(lose())
            send(one_partition(kafka), [post(number, "Rome")], number)
            wait_until(lambda: committed(kafka).get(0) == number + 1, 20, "it is committed")  # noqa: B023
        assert 1 == running[0].log.count("not to be trusted")
        assert running[0].stop() < 10
