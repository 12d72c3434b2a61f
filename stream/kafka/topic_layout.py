"""Compares existing topics with the settings, and adds partitions. Nothing else of an existing topic is changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import AuthorizationError

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.errors import SettingsError
from stream.kafka.topics import admin_client, describe, topic_names, topic_options


@dataclass(frozen=True, slots=True)
class Growth:
    """A topic that got more partitions."""

    name: str
    before: int
    after: int


def mismatches(kafka: Kafka) -> list[str]:
    """What existing topics have otherwise than new ones would, one sentence each."""
    with admin_client(kafka) as client:
        topics = _existing(client, kafka)
        configs = _configs(client, topics)
    return [line for topic in topics for line in _compare(kafka, topic, configs.get(topic["name"], {}))]


def grow_topics(kafka: Kafka) -> list[Growth]:
    """Add partitions to existing topics that have fewer than `kafka.partitions`, except to the dead-letter topic.

    Raises SettingsError if there are only topics with more: Kafka cannot remove partitions. Raises TrimodError if the
    broker refuses.
    """
    with admin_client(kafka) as client:
        topics = [topic for topic in _existing(client, kafka) if topic["name"] != kafka.dead_topic]
        counts = {topic["name"]: len(topic["partitions"]) for topic in topics}
        fewer = {name: count for name, count in counts.items() if count < kafka.partitions}
        more = [f"{name} ({count})" for name, count in counts.items() if count > kafka.partitions]
        if more and not fewer:
            raise SettingsError(
                f"bad setting 'kafka.partitions': {kafka.partitions} is less than the partitions of {', '.join(more)}, "
                "and Kafka cannot remove partitions"
            )
        if fewer:
            answer = client.create_partitions(dict.fromkeys(fewer, kafka.partitions), raise_errors=False)
            for result in answer.results:
                if result.error_code:
                    raise TrimodError(f"cannot add partitions to {result.name}: {result.error_message}")
    return [Growth(name, count, kafka.partitions) for name, count in fewer.items()]


def _existing(client: KafkaAdminClient, kafka: Kafka) -> list[dict[str, Any]]:
    return [topic for topic in describe(client, topic_names(kafka)) if not topic["error_code"]]


def _configs(client: KafkaAdminClient, topics: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    resources = [ConfigResource("topic", topic["name"]) for topic in topics]
    try:
        found: dict[str, Any] = client.describe_configs(resources, config_filter="all")
    except AuthorizationError:  # we may create and describe topics, but not read their configuration
        return {}
    topics_found: dict[str, dict[str, Any]] = found.get("topic", {})
    return topics_found


def _compare(kafka: Kafka, topic: dict[str, Any], configs: dict[str, Any]) -> Iterator[str]:
    name, wanted = topic["name"], topic_options(kafka, topic["name"])
    partitions, replicas = len(topic["partitions"]), len(topic["partitions"][0]["replica_nodes"])
    if partitions != wanted["num_partitions"] and name != kafka.dead_topic:
        fewer = partitions < wanted["num_partitions"]
        what = "add partitions with `trimod topics --grow`" if fewer else "Kafka cannot remove partitions"
        yield f"{name} has {partitions} partitions, and kafka.partitions is {wanted['num_partitions']}: {what}"
    if replicas != wanted["replication_factor"]:
        yield (
            f"{name} has the replication factor {replicas}, and kafka.replication_factor is "
            f"{wanted['replication_factor']}: change it with kafka-reassign-partitions.sh"
        )
    for key, value in wanted["configs"].items():
        found = configs.get(key, {}).get("value")
        if found is not None and found != value and not _is_enough(key, found, value):
            yield f"{name} has {key}={found}, and should have {value}: change it with kafka-configs.sh"


def _is_enough(key: str, found: str, wanted: str) -> bool:
    return key == "max.message.bytes" and int(found) > int(wanted)
