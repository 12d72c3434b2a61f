"""Consumer lag per partition of the posts topic, from the broker alone."""

from dataclasses import asdict, dataclass
from typing import Any

from kafka import KafkaAdminClient

from stream.config.kafka import Kafka
from stream.kafka.reader import TopicReader, open_topic
from stream.kafka.topics import admin_client, patiently


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """`committed` is the next offset to be tagged, None before the first commit; `lag` posts are waiting."""

    partition: int
    end: int
    committed: int | None
    lag: int
    member: str | None


@dataclass(frozen=True, slots=True)
class Lag:
    """The state of one consumer group on the posts topic."""

    group: str
    topic: str
    state: str
    members: int
    partitions: tuple[PartitionLag, ...]

    @property
    def total(self) -> int:
        """Posts waiting in all partitions."""
        return sum(partition.lag for partition in self.partitions)

    def as_json(self) -> dict[str, Any]:
        """Plain values, including the total."""
        return {**asdict(self), "total": self.total}


def read_lag(kafka: Kafka) -> Lag:
    """The current consumer lag. Raises PassingFault if no broker answers."""
    with admin_client(kafka) as admin, open_topic(kafka, kafka.posts_topic) as reader:
        group = patiently(lambda: admin.describe_groups([kafka.group]))[kafka.group]
        owners = _owners(group, kafka.posts_topic)
        return Lag(
            group=kafka.group,
            topic=kafka.posts_topic,
            state=str(group["group_state"]),
            members=len(group["members"]),
            partitions=tuple(_partitions(admin, reader, kafka, owners)),
        )


def _partitions(
    admin: KafkaAdminClient, reader: TopicReader, kafka: Kafka, owners: dict[int, str]
) -> list[PartitionLag]:
    # Committed before end: the other way round, a post tagged in between would give a negative lag.
    places = reader.partitions
    committed = patiently(lambda: admin.list_group_offsets({kafka.group: places}))[kafka.group]
    begins, ends = reader.beginnings(), reader.ends()
    rows = []
    for part in places:
        found = committed.get(part)
        offset = found.offset if found is not None and found.offset >= 0 else None
        waiting_from = begins[part] if offset is None else max(offset, begins[part])
        waiting = max(0, ends[part] - waiting_from)
        rows.append(PartitionLag(part.partition, ends[part], offset, waiting, owners.get(part.partition)))
    return rows


def _owners(group: dict[str, Any], topic: str) -> dict[int, str]:
    """Partition -> the member that owns it: its instance id, if it has one."""
    owners = {}
    for member in group["members"]:
        name = member["group_instance_id"] or f"{member['client_id']}@{member['client_host'].lstrip('/')}"
        assignment = member["member_assignment"]  # empty while the group rebalances
        for assigned in assignment["assigned_partitions"] if isinstance(assignment, dict) else ():
            if assigned["topic"] == topic:
                owners.update(dict.fromkeys(assigned["partitions"], name))
    return owners
