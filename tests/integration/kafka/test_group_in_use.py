"""A group that others use: a worker says so, is not ready, and joins as soon as they have left.

Others are applications with another assignor, and consumers of the new protocol (KIP-848).
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.kafka.topics import admin_client, ensure_topics
from stream.local.stack import LocalKafka, free_port
from tests.support.running_stack import health, ready, start_fake
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

RANGE = {"partition.assignment.strategy": "range", "session.timeout.ms": 6000}
KIP_848 = {"group.protocol": "consumer"}


class OtherApplication:
    """A member of the same group that reads another topic; in it until `leave`."""

    def __init__(self, kafka: Kafka, options: dict[str, Any]) -> None:
        topic = f"{kafka.group}.other"
        with admin_client(kafka) as admin:
            admin.create_topics(
                {topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
            )
        own = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": kafka.group, "client.id": "acme"}
        self._consumer = Consumer(own | options)
        self._consumer.subscribe([topic])
        self._left, self._joined = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def joined(self) -> bool:
        return self._joined.is_set()

    def leave(self) -> None:
        self._left.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._left.is_set():
            self._consumer.poll(0.2)
            if self._consumer.assignment():
                self._joined.set()
        self._consumer.close()


@contextmanager
def other_application(kafka: Kafka, options: dict[str, Any]) -> Iterator[OtherApplication]:
    """One that has joined; it leaves at the latest at the end."""
    other = OtherApplication(kafka, options)
    try:
        wait_until(other.joined, LONG, "the other application has joined")
        yield other
    finally:
        other.leave()


def cause(worker: WorkerProcess) -> str:
    """Why it waits to join, as /health says it among the reasons why it is not ready."""
    reasons: Any = health(worker).get("reasons", [])
    return next((reason for reason in reasons if reason.startswith("joining the group waits: ")), "")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (RANGE, "protocol range, members acme at 127.0.0.1"),
        (KIP_848, "a group of type consumer, state stable"),
    ],
)
def test_a_group_that_others_use_is_waited_for_and_joined(
    settings: Settings, tmp_path: Path, options: dict[str, Any], named: str
) -> None:
    kafka = settings.kafka
    send(kafka, [post(n, f"in Rome{n}") for n in range(16)])
    with other_application(kafka, options) as other, workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: bool(cause(running[0])), LONG, "the cause is told")
        said = health(running[0])
        assert ("starting", True, False) == (said["state"], said["live"], said["ready"])
        assert f"group {kafka.group} is in use by another kind of consumer" in cause(running[0])
        assert named in cause(running[0])
        running.append(WorkerProcess(settings, tmp_path))
        wait_until(lambda: bool(cause(running[1])), LONG, "the next one waits too")
        assert running.pop().stop() < 10
        other.leave()
        wait_until(lambda: ready(running[0]), LONG, "it has joined")
        wait_until(lambda: sum(committed(kafka).values()) == 16, LONG, "all is committed")
        assert {} == health(running[0])["waiting"]
        assert running[0].stop() < 10
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_a_group_that_others_took_meanwhile_is_waited_for_too(settings: Settings, tmp_path: Path) -> None:
    """A worker that was stopped for longer than its session comes back and finds others in its group."""
    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: ready(running[0]), LONG, "it is ready")
        os.kill(running[0].pid, signal.SIGSTOP)
        try:
            with other_application(kafka, RANGE):
                os.kill(running[0].pid, signal.SIGCONT)
                wait_until(
                    lambda: "joining the group" in health(running[0]).get("waiting", {}), LONG, "it waits"
                )
                assert not ready(running[0])
        finally:
            os.kill(running[0].pid, signal.SIGCONT)
        send(kafka, [post(n, "in Rome") for n in range(8)])
        wait_until(lambda: sum(committed(kafka).values()) == 8, LONG, "all is committed")
        assert running[0].stop() < 10
        assert "Traceback" not in running[0].log


def test_a_session_timeout_that_the_broker_never_takes_ends_the_start(settings: Settings) -> None:
    kafka = settings.kafka.model_copy(update={"session_timeout": 86_400.0})
    code, stderr = start_fake(settings.model_copy(update={"kafka": kafka}))
    assert 2 == code
    assert (
        "bad setting 'kafka.session_timeout': 86400 s is outside the broker's limits"
        in stderr.splitlines()[-1]
    )


class GuardedKafka(LocalKafka):
    """A broker that asks its rules who may do what, and allows what no rule names."""

    def _configuration(self) -> str:
        rules = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
        return super()._configuration() + rules + "allow.everyone.if.no.acl.found=true\n"


@pytest.mark.parametrize("kind", [ResourceType.GROUP, ResourceType.TOPIC])
def test_a_group_or_topic_that_is_not_allowed_ends_the_worker(
    settings: Settings, tmp_path: Path, kind: ResourceType
) -> None:
    server = GuardedKafka(tmp_path / "kafka", free_port(consecutive=2), heap="256m")
    server.start()
    try:
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": server.bootstrap_servers})
        ensure_topics(kafka)
        name = kafka.group if kind is ResourceType.GROUP else kafka.posts_topic
        with admin_client(kafka) as admin:
            admin.create_acls(
                [
                    ACL(
                        "User:ANONYMOUS",
                        "*",
                        ACLOperation.READ,
                        ACLPermissionType.DENY,
                        ResourcePattern(kind, name),
                    ),
                    ACL(
                        "User:ANONYMOUS",
                        "*",
                        ACLOperation.DESCRIBE,
                        ACLPermissionType.ALLOW,
                        ResourcePattern(kind, name),
                    ),
                ]
            )
        code, stderr = start_fake(settings.model_copy(update={"kafka": kafka}))
        assert (2, False) == (code, "Traceback" in stderr)
        assert f"{name}: allow READ on it" in stderr.splitlines()[-1]
    finally:
        server.stop()
