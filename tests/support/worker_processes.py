"""Workers as child processes, posts into Kafka, and what came out of it: for the worker's tests."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.counters.store import Counters
from stream.local.supervisor import environment
from stream.messages.receipts import Receipt

SCRIPT = Path(__file__).with_name("worker_fake_tagger_main.py")


W = TypeVar("W", bound="WorkerProcess")
LONG = 90
"""Seconds that a condition gets on a busy machine."""


class WorkerProcess:
    """One worker with the fake tagger; its log is kept in `log`."""

    def __init__(self, settings: Settings, directory: Path, delay: float = 0.0, *types: str) -> None:
        """`types`: those that its tagger says it emits, the usual ones by default."""
        self._log = directory / f"worker-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(SCRIPT), settings.model_dump_json(), str(delay), *filter(None, [",".join(types)])],
                stdout=log, stderr=log, env=os.environ,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str) -> str:
        """What its HTTP server answers at `path`."""
        found = re.search(r"http://\S+(?=/metrics)", self.log)
        assert found, self.log
        with urllib.request.urlopen(found.group() + path, timeout=5) as answer:
            body: bytes = answer.read()
        return body.decode()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> float:
        """SIGTERM; the seconds it took to end. Fails where it does not end cleanly."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not stop:\n{self.log}") from None
        assert code == 0, f"exit code {code}: {self.log}"
        return time.monotonic() - began


class RealWorker(WorkerProcess):
    """`trimod worker` itself, with these arguments."""

    def __init__(self, settings: Settings, directory: Path, *arguments: str) -> None:
        self._log = directory / f"worker-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "stream", "worker", *arguments]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(settings))

    @property
    def assigned(self) -> bool:
        return "assigned partitions: " in self.log.replace("assigned partitions: none", "")


@contextmanager
def workers(settings: Settings, directory: Path, *delays: float) -> Iterator[list[WorkerProcess]]:
    """Workers with the fake tagger that are all gone at the end; more may be appended."""
    with gone_at_last([WorkerProcess(settings, directory, delay) for delay in delays]) as started:
        yield started


@contextmanager
def gone_at_last(started: list[W]) -> Iterator[list[W]]:
    """Workers that are killed at the end if they still run, and whose logs are printed where something failed."""
    try:
        yield started
    except BaseException:
        for worker in started:
            print(worker.log)
        raise
    finally:
        for worker in started:
            if worker.running:
                worker.kill()


def post(number: int, text: str, **fields: Any) -> bytes:
    return orjson.dumps({"id": f"p{number}", "text": text, "source": "test", **fields})


def send(kafka: Kafka, values: Sequence[bytes | None], first: int = 0, partition: int | None = None) -> None:
    """Posts onto the posts topic, number n to partition n modulo partitions, or all to one; `first` is the first n."""
    servers, partitions = kafka.bootstrap_servers, kafka.partitions
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", max_request_size=9 * 2**20)
    for number, value in enumerate(values, first):
        place = number % partitions if partition is None else partition
        producer.send(kafka.posts_topic, value, key=f"k{number}".encode(), partition=place)
    producer.flush()
    producer.close()


def read_all(kafka: Kafka, topic: str) -> list[Any]:
    """Every record of `topic`, per partition in offset order."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        fetch_max_wait_ms=100,
        isolation_level=kafka.isolation_level,
    )
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        records: dict[TopicPartition, list[Any]] = defaultdict(list)
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for partition, found in consumer.poll(500).items():
                records[partition] += found
        return [record for partition in partitions for record in records[partition]]
    finally:
        consumer.close()


def receipts(kafka: Kafka) -> list[Receipt]:
    return [Receipt.model_validate_json(record.value) for record in read_all(kafka, kafka.tagged_topic)]


def origins_done(kafka: Kafka) -> set[tuple[int, int]]:
    """(partition, offset) of every post that has a receipt or is dead."""
    tagged = {(receipt.origin.partition, receipt.origin.offset) for receipt in receipts(kafka)}
    dead = {
        (int(headers["partition"]), int(headers["offset"]))
        for headers in (dict(record.headers) for record in read_all(kafka, kafka.dead_topic))
    }
    return tagged | dead


def committed(kafka: Kafka) -> dict[int, int]:
    """Partition -> offset committed by the group; empty where the broker is not ready to tell."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        offsets: Mapping[TopicPartition, Any] = admin.list_group_offsets(kafka.group)[kafka.group]
        return {
            partition.partition: found.offset for partition, found in offsets.items() if found.offset >= 0
        }
    except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
        return {}
    finally:
        admin.close()


def expected_totals(found: Sequence[Receipt], dedup: bool = True) -> dict[str, dict[str, int]]:
    """Type -> canonical -> mentions of the first receipt of each distinct post: what Redis must say.

    Without `dedup` (redis.dedup_window is 0) a post that was sent twice is two.
    """
    firsts: dict[tuple[str, int] | tuple[str, str], Receipt] = {}
    for receipt in found:
        origin = receipt.origin.topic_id, receipt.origin.partition * 10**9 + receipt.origin.offset
        firsts.setdefault((receipt.source, receipt.post_id) if dedup else origin, receipt)
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for receipt in firsts.values():
        for mention in receipt.mentions:
            totals[mention.type][mention.canonical] += 1
    return {type_: dict(counts) for type_, counts in totals.items()}


def redis_totals(settings: Settings) -> dict[str, dict[str, int]]:
    """Type -> canonical -> count, as Redis has it."""

    async def read() -> dict[str, dict[str, int]]:
        counters = Counters(settings.redis, settings.kafka.group)
        try:
            return await counters.totals()
        finally:
            await counters.close()

    return asyncio.run(read())


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.2)
