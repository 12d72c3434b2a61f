"""What an operator does to the posts topic: partitions added, and the topic deleted and made anew.

Each takes its time and runs in a thread of its own, while faults go on. A topic is drained before it is deleted:
what nobody has read yet would be lost by the operator's own deed, and prove nothing. What was in it is kept in a
file, for its receipts remain.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kafka.errors import KafkaError

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.kafka.topics import admin_client, ensure_topics, topic_uuid
from tests.chaos.observe.topic_reader import Tail
from tests.chaos.observe.topic_state import Facts
from tests.chaos.producer import Ingest

PATIENCE = 240.0
"""Seconds for one deed: the broker may be away for some of them, and draining waits for workers."""
MOST_PARTITIONS = 12
"""Of the posts topic; it has 8 again when it is made anew."""


class Deed:
    """One deed under way; `over` when done, and `check` raises why it could not be done."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._act()
        except Exception as error:
            self._error = error


class TopicDeeds:
    def __init__(self, kafka: Kafka, tail: Tail, ingest: Ingest, directory: Path) -> None:
        self._kafka, self._tail, self._ingest, self._directory = kafka, tail, ingest, directory

    def add_partition(self) -> None:
        """One more, up to MOST_PARTITIONS."""
        count = len(self._tail.ends) + 1
        if count <= MOST_PARTITIONS:
            self._persist(lambda: self._create_partitions(count))
            self._persist(self._bind)

    def make_anew(self) -> None:
        """Drain the posts topic, delete it, and make it again under the same name."""
        self._ingest.paused = True
        self._await(lambda: self._ingest.idle, "nothing is on its way to the posts topic")
        read = self._tail.looks
        self._await(
            lambda: self._tail.looks > read + 1 and self._tail.drained(), "the posts topic is drained"
        )
        with self._tail.lock:
            keep_log(self._directory, self._tail)
            before = self._tail.topic_id
            self._persist(self._delete)
            self._persist(lambda: self._create(before))
            self._persist(self._bind)
        self._ingest.paused = False

    def _create_partitions(self, count: int) -> None:
        with admin_client(self._kafka) as admin:
            (topic,) = admin.describe_topics([self._kafka.posts_topic])
            if len(topic["partitions"]) < count:
                admin.create_partitions({self._kafka.posts_topic: count})

    def _delete(self) -> None:
        with admin_client(self._kafka) as admin:
            (topic,) = admin.describe_topics([self._kafka.posts_topic])
            if str(topic["topic_id"]) == self._tail.topic_id:
                admin.delete_topics([self._kafka.posts_topic])

    def _create(self, before: str) -> None:
        """Until there is another one: for a moment the broker may still name the old one."""
        ensure_topics(self._kafka)
        if topic_uuid(self._kafka, self._kafka.posts_topic) == before:
            raise TrimodError("the posts topic is not deleted yet")

    def _bind(self) -> None:
        self._tail.bind(topic_uuid(self._kafka, self._kafka.posts_topic))

    def _persist(self, act: Callable[[], None]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return act()
            except (TrimodError, KafkaError, TimeoutError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {PATIENCE:.0f} s")
            time.sleep(0.2)


def keep_log(directory: Path, tail: Tail) -> None:
    """Write down which post is where in the posts topic, before it is deleted."""
    ours = {log[1]: numbers for log, numbers in tail.facts.posts.items() if log[0] == tail.topic_id}
    kept = {"topic_id": tail.topic_id, "partitions": ours}
    (directory / f"deleted-{tail.topic_id}.json").write_text(json.dumps(kept), encoding="utf-8")


def load_deleted(directory: Path, facts: Facts, topic_id: str) -> None:
    """What was in the topics of earlier runs; `topic_id` is there still, if the deletion did not come about."""
    for file in directory.glob("deleted-*.json"):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["topic_id"] != topic_id:
            for partition, numbers in kept["partitions"].items():
                posts = {int(offset): number for offset, number in numbers.items()}
                facts.posts[kept["topic_id"], int(partition)] = posts
