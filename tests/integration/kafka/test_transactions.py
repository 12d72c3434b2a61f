"""Producers of transactions: what they commit is tagged, what they abort is not, and no marker looks like lag.

librdkafka's producer, as many stream processors use it.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.counters.rebuild import rebuild
from stream.kafka.lag import read_lag
from tests.support.worker_processes import (
    LONG,
    WorkerProcess,
    committed,
    expected_totals,
    post,
    receipts,
    redis_totals,
    send,
    wait_until,
    workers,
)

pytestmark = pytest.mark.integration


class Transactions:
    """One transactional producer; all its posts go to one partition."""

    def __init__(self, kafka: Kafka, name: str, partition: int = 0) -> None:
        self._topic, self._partition = kafka.posts_topic, partition
        options = {"bootstrap.servers": kafka.bootstrap_servers, "compression.type": "lz4", "linger.ms": 5}
        self.producer = Producer({**options, "transactional.id": f"{kafka.group}-{name}"})
        self.producer.init_transactions(30)

    def begin(self, numbers: Iterable[int]) -> None:
        """A transaction with these posts, which is left open."""
        self.producer.begin_transaction()
        for number in numbers:
            self.producer.produce(self._topic, post(number, f"in Rome{number}"), partition=self._partition)
        assert self.producer.flush(30) == 0

    def commit(self, numbers: Iterable[int]) -> None:
        self.begin(numbers)
        self.producer.commit_transaction(30)

    def abort(self, numbers: Iterable[int]) -> None:
        self.begin(numbers)
        self.producer.abort_transaction(30)


def tagged(kafka: Kafka) -> list[str]:
    return sorted(receipt.post_id for receipt in receipts(kafka))


def names(numbers: Iterable[int]) -> list[str]:
    return sorted(f"p{number}" for number in numbers)


def lag_told(worker: WorkerProcess) -> dict[str, float]:
    """Partition -> lag, as /metrics says."""
    families = text_string_to_metric_families(worker.get("/metrics"))
    samples = [sample for family in families for sample in family.samples if sample.name == "trimod_lag"]
    return {sample.labels["partition"]: sample.value for sample in samples}


def no_lag(kafka: Kafka, worker: WorkerProcess) -> bool:
    return read_lag(kafka).total == 0 and len(lag_told(worker)) == 8 and not any(lag_told(worker).values())


def test_what_is_committed_is_tagged_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    """The lag reaches 0 behind markers and aborted posts, also where a transaction is open."""
    kafka = settings.kafka
    done, open_ = Transactions(kafka, "done"), Transactions(kafka, "open")
    done.commit(range(4))
    done.abort(range(4, 8))
    open_.begin([8])
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(
            lambda: "/metrics" in running[0].log and no_lag(kafka, running[0]), LONG, "there is no lag"
        )
        assert names(range(4)) == tagged(kafka)
        assert 10 == committed(kafka)[0]  # behind the markers of both transactions, not at the last post
        open_.producer.commit_transaction(30)
        wait_until(lambda: tagged(kafka) == names([*range(4), 8]), LONG, "the last is tagged")
        wait_until(lambda: no_lag(kafka, running[0]), LONG, "there is no lag again")
        assert "trusted" == orjson.loads(running[0].get("/health"))["counters"]
        assert running[0].stop() < 10
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_uncommitted_posts_are_read_where_one_says_so(settings: Settings, tmp_path: Path) -> None:
    kafka = settings.kafka.model_copy(update={"isolation_level": "read_uncommitted"})
    settings = settings.model_copy(update={"kafka": kafka})
    producer = Transactions(kafka, "open")
    producer.abort(range(4))
    producer.begin([4])
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: tagged(kafka) == names(range(5)), LONG, "all are tagged")
        wait_until(lambda: no_lag(kafka, running[0]), LONG, "there is no lag")
        assert running[0].stop() < 10
    producer.producer.abort_transaction(30)


def test_a_partition_that_only_ever_saw_an_aborted_transaction_has_no_lag(
    settings: Settings, tmp_path: Path
) -> None:
    """Nothing of it was delivered that could be committed; what comes behind it is tagged, and the counters hold."""
    kafka = settings.kafka
    producer = Transactions(kafka, "aborts", partition=3)
    producer.abort(range(5))
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: committed(kafka).get(3) == 6, LONG, "it is passed")
        wait_until(lambda: no_lag(kafka, running[0]), LONG, "there is no lag")
        producer.abort(range(5, 10))
        producer.commit(range(10, 13))
        wait_until(lambda: tagged(kafka) == names(range(10, 13)), LONG, "what is committed is tagged")
        wait_until(lambda: committed(kafka).get(3) == 16, LONG, "all is passed")
        assert running[0].stop() < 10
    # the marks are where the commits are: nothing is doubted
    with workers(settings, tmp_path, 0.0) as running:
        producer.commit([13])
        wait_until(lambda: tagged(kafka) == names(range(10, 14)), LONG, "the next is tagged")
        asyncio.run(rebuild(settings))
        producer.commit([14])
        wait_until(lambda: tagged(kafka) == names(range(10, 15)), LONG, "and the one after a rebuild")
        assert "not to be trusted" not in running[0].log
        assert running[0].stop() < 10
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_a_killed_worker_loses_nothing_among_transactions(settings: Settings, tmp_path: Path) -> None:
    """Committed, aborted and plain posts in turn, with two workers and one of them killed in the middle."""
    kafka = settings.kafka
    producers = [Transactions(kafka, f"{number}", number) for number in range(4)]
    small = settings.model_copy(
        update={"worker": settings.worker.model_copy(update={"max_batch_tokens": 32})}
    )
    kept: list[int] = []
    with workers(small, tmp_path, 0.2, 0.2) as running:
        for number in range(0, 400, 20):
            producers[number // 20 % 4].commit(range(number, number + 8))
            producers[number // 20 % 4].abort(range(number + 8, number + 16))
            send(kafka, [post(n, f"in Rome{n}") for n in range(number + 16, number + 20)], number + 16)
            kept += [*range(number, number + 8), *range(number + 16, number + 20)]
            if number == 200:
                running.pop(0).kill()
                running.append(WorkerProcess(settings, tmp_path))
        wait_until(lambda: set(tagged(kafka)) == set(names(kept)), LONG, "all that is committed is tagged")
        wait_until(lambda: read_lag(kafka).total == 0, LONG, "there is no lag")
        assert all(worker.stop() < 10 for worker in running)
    assert expected_totals(receipts(kafka)) == redis_totals(settings)
