"""Creates missing topics, and describes the four topics and their Kafka UUIDs.

Existing topics are not changed, with any number of partitions: they belong to the operator, who can add partitions
(stream/kafka/topic_layout.py). Every call has a time
limit. If a broker does not answer, the PassingFault contains its address.
"""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, RetriableError, TopicAlreadyExistsError, for_code
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.connections.kafka_clients import OLDEST, check_broker, kafka_python_options
from stream.errors import PassingFault, SettingsError
from stream.messages.base import MAX_DEAD_BYTES, MAX_POST_BYTES

CONNECT_TIMEOUT = 8.0
"""Seconds to wait for a broker's first answer."""
REQUEST_TIMEOUT = 10.0
"""Seconds to wait for the answer to one request."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the broker knows it; `records` is the number of offsets between its first and its end."""

    name: str
    uuid: str
    partitions: int
    records: int


def topic_names(kafka: Kafka) -> tuple[str, str, str, str]:
    """Posts, entities, receipts, dead letters: always in this order."""
    return kafka.posts_topic, kafka.entities_topic, kafka.tagged_topic, kafka.dead_topic


def _reach(servers: str) -> None:
    """Raise at once if nothing listens: the client would retry for long, and leave a thread behind."""
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        if not (host and port.isdigit()):
            raise SettingsError(f"bad setting 'kafka.bootstrap_servers': expected host:port, got {server!r}")
        with suppress(OSError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=3.0).close()
            return
    raise PassingFault(
        f"no Kafka broker answers at {servers}: start one (`trimod up`) or set kafka.bootstrap_servers"
    )


@contextmanager
def admin_client(kafka: Kafka) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end. Raises PassingFault if no broker answers or the connection breaks, and
    AccessDenied if it refuses access."""
    servers = kafka.bootstrap_servers
    _reach(servers)
    check_broker(kafka)
    try:
        client = KafkaAdminClient(
            bootstrap_servers=servers.split(","),
            bootstrap_timeout_ms=int(CONNECT_TIMEOUT * 1000),
            request_timeout_ms=int(REQUEST_TIMEOUT * 1000),
            **kafka_python_options(kafka),
        )
    except KafkaError:
        raise PassingFault(
            f"the server at {servers} does not answer like Kafka over {kafka.security_protocol} "
            "(kafka.security_protocol)"
        ) from None
    try:
        yield client
    except KafkaError as error:
        raise PassingFault(f"Kafka at {servers} refused or failed a request: {error}") from error
    finally:
        client.close()


def describe(client: KafkaAdminClient, names: Sequence[str]) -> list[dict[str, Any]]:
    """The broker's metadata of these topics, in order; a missing one has an `error_code`."""
    found = {topic["name"]: topic for topic in client.describe_topics(list(names))}
    if any("topic_id" not in topic for topic in found.values()):  # of another broker than check_broker asked
        raise SettingsError(f"a Kafka broker is older than {OLDEST}: {OLDEST} or newer is needed")
    return [found[name] for name in names]


def topic_uuid(kafka: Kafka, topic: str) -> str:
    """The UUID that Kafka gave the topic: it changes if the topic is deleted and recreated."""
    with admin_client(kafka) as client:
        (found,) = describe(client, [topic])
    if found["error_code"]:
        raise TrimodError(
            f"no topic {topic} at {kafka.bootstrap_servers}: create it with `trimod topics --create`"
        )
    return str(found["topic_id"])


def _records(client: KafkaAdminClient, topic: dict[str, Any]) -> int:
    partitions = [TopicPartition(topic["name"], part["partition_index"]) for part in topic["partitions"]]
    ends = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    begins = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    return sum(ends[part].offset - begins[part].offset for part in partitions)


def describe_topics(kafka: Kafka) -> list[TopicInfo]:
    """The existing ones of the four topics, in order."""
    with admin_client(kafka) as client:
        topics = [topic for topic in describe(client, topic_names(kafka)) if not topic["error_code"]]
        return [
            TopicInfo(
                topic["name"], str(topic["topic_id"]), len(topic["partitions"]), _records(client, topic)
            )
            for topic in topics
        ]


def topic_options(kafka: Kafka, name: str) -> dict[str, Any]:
    """Partitions, replicas and configuration of one of the four topics when it is created."""
    configs = {"max.message.bytes": str(MAX_DEAD_BYTES if name == kafka.dead_topic else MAX_POST_BYTES)}
    if name in (kafka.tagged_topic, kafka.dead_topic):
        configs["retention.ms"] = "-1"  # counters are rebuilt from receipts; dead letters wait for a fix
    return {
        "num_partitions": 1 if name == kafka.dead_topic else kafka.partitions,
        "replication_factor": kafka.replication_factor,
        "configs": configs,
    }


def ensure_topics(kafka: Kafka) -> list[str]:
    """Create the missing ones of the four topics; returns their names once all accept records."""
    with admin_client(kafka) as client:
        missing = [topic["name"] for topic in describe(client, topic_names(kafka)) if topic["error_code"]]
        if not missing:
            return []
        answer = client.create_topics(
            {name: topic_options(kafka, name) for name in missing}, raise_errors=False, wait_for_metadata=True
        )
        errors = {
            each["name"]: for_code(each["error_code"]) for each in answer["topics"] if each["error_code"]
        }
        for name, error in errors.items():
            if error is not TopicAlreadyExistsError:  # this one: another process was faster
                raise TrimodError(f"cannot create topic {name}: {error.description}")
        for topic in describe(client, missing):
            _records(client, topic)  # a leader is elected before it is ready: this waits until it answers
        return [name for name in missing if name not in errors]


def patiently(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer; retried for some seconds while the broker is still setting up its groups."""
    retrying = Retrying(
        retry=retry_if_exception_type(RetriableError),
        stop=stop_after_delay(REQUEST_TIMEOUT),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    return retrying(ask)
