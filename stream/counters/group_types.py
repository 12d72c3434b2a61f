"""The entity types that a group's workers emit: kept in Redis, so that no worker with other types can join.

Consumers of a group's events count on its types; half of the partitions tagged with others would be noticed by nobody.
The first worker of a group writes its own down; `trimod group relabel` changes them on purpose.
"""

import json
from collections.abc import Iterable, Sequence

from stream.connections.redis_client import redis_faults
from stream.counters.store import Counters
from stream.errors import Refused


def types_of(labels: Sequence[str]) -> list[str]:
    """The entity types of BIO labels, sorted."""
    return sorted({label.partition("-")[2] for label in labels} - {""})


class GroupLabels:
    """Those of the group whose counters these are."""

    def __init__(self, counters: Counters) -> None:
        self._client, self._url = counters.client, counters.settings.url
        self._key = f"{counters.root}:labels"

    async def read(self) -> list[str] | None:
        """The group's entity types; None where it has none yet. Raises PassingFault."""
        with redis_faults(self._url):
            found = await self._client.get(self._key)
        return None if found is None else _decoded(str(found))

    async def write(self, types: Iterable[str]) -> None:
        """Change them. Raises PassingFault."""
        with redis_faults(self._url):
            await self._client.set(self._key, json.dumps(sorted(types)))

    async def check(self, group: str, types: Sequence[str]) -> None:
        """Write `types` down where the group has none; raises Refused where it has others, PassingFault."""
        with redis_faults(self._url):
            await self._client.set(self._key, json.dumps(sorted(types)), nx=True)
        used = await self.read()
        if used is not None and used != sorted(types):
            raise Refused(
                f"group {group} emits {', '.join(used)}, and this checkpoint {', '.join(sorted(types))}: run it as "
                "a group of its own (kafka.group, kafka.entities_topic, kafka.tagged_topic, kafka.dead_topic), or "
                "stop the group's workers and change its types (`trimod group relabel CHECKPOINT`)"
            )


def _decoded(text: str) -> list[str] | None:
    """None where it is not ours: then it is written over by `relabel`, and read as absent."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return sorted(map(str, found)) if isinstance(found, list) else None
