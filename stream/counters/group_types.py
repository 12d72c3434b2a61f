"""The entity types that a group's workers emit: stored in Redis, so that no worker with other types can join.

Consumers of a group's events rely on its types. If part of the partitions had other types, nobody would notice. The
first worker of a group stores its types; `trimod group relabel` changes them.
"""

import json
from collections.abc import Iterable, Sequence

from stream.connections.redis_client import redis_faults
from stream.counters.store import Counters
from stream.errors import AccessDenied


def types_of(labels: Sequence[str]) -> list[str]:
    """The entity types of BIO labels, sorted."""
    return sorted({label.partition("-")[2] for label in labels} - {""})


class GroupLabels:
    """The types of the group that these counters belong to."""

    def __init__(self, counters: Counters) -> None:
        self._client, self._url = counters.client, counters.settings.url
        self._key = f"{counters.group_root}:labels"

    async def read(self) -> list[str] | None:
        """The group's entity types; None if it has none yet. Raises PassingFault."""
        with redis_faults(self._url):
            found = await self._client.get(self._key)
        return None if found is None else _decoded(str(found))

    async def write(self, types: Iterable[str]) -> None:
        """Change them. Raises PassingFault."""
        with redis_faults(self._url):
            await self._client.set(self._key, json.dumps(sorted(types)))

    async def check(self, group: str, types: Sequence[str]) -> None:
        """Store `types` if the group has none. Raises AccessDenied if it has others, PassingFault."""
        with redis_faults(self._url):
            await self._client.set(self._key, json.dumps(sorted(types)), nx=True)
        used = await self.read()
        if used is not None and used != sorted(types):
            raise AccessDenied(
                f"group {group} emits {', '.join(used)}, but this checkpoint emits {', '.join(sorted(types))}: use a "
                "separate group (kafka.group, kafka.entities_topic, kafka.tagged_topic, kafka.dead_topic), or stop "
                "the group's workers and change its types (`trimod group relabel CHECKPOINT`)"
            )


def _decoded(text: str) -> list[str] | None:
    """None if it is not ours: then it counts as absent, and `relabel` overwrites it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return sorted(map(str, found)) if isinstance(found, list) else None
