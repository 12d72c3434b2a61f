"""Counters made anew from the receipts, exactly, while workers go on tagging and counting.

The receipts of `posts.tagged` that are of this group (other groups may share the topic) are replayed by the script that
counts live, into keys of a new generation, in the order of their tagging. Then workers' counting is held for the moment
that it takes to read the last receipts, and one script switches to the new generation if it has seen every offset that
the old one has. A worker publishes a receipt before it counts it, so the receipt of whatever is counted is there to be
read; what workers publish but could not yet count lies beyond or below the new generation's marks, and these decide.
Dead posts have no receipt, nor have offsets without posts: what the group has committed moves the marks over them.
Counts by time whose buckets have run out by now are not brought back.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from kafka import TopicPartition
from pydantic import ValidationError

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.connections.redis_client import redis_faults
from stream.counters.store import CHUNK, HOLD_MS, Counted, Counters
from stream.kafka.reader import TopicReader, merge, open_topic
from stream.kafka.topics import admin_client, patiently
from stream.messages.receipts import Receipt

LOCK_MS = 60_000
"""How long a rebuild that stopped moving keeps others from starting; counters.lua renews it."""


ATTEMPTS = 10
"""Switches tried before giving up on workers that count faster than receipts are read."""


BATCH = 4000
"""Receipts that are counted together."""


_SWITCH = Path(__file__).with_name("switch_generation.lua")


_RELEASE = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did. `others`: receipts of other groups, which count for these. `incomplete`: the first receipts
    are no longer kept, so what they counted is gone."""

    receipts: int
    others: int
    unreadable: int
    seconds: float
    incomplete: bool


async def rebuild(
    settings: Settings,
    progress: Callable[[int, int], None] = lambda read, total: None,
    incomplete: bool = False,
) -> Rebuilt:
    """Recompute the counters of the workers' group, switch to them; `progress` gets (read, of how many).

    `incomplete` allows it where the first receipts are no longer kept; else that is a TrimodError, as where
    another rebuild runs or somebody emptied Redis meanwhile. Raises PassingFault where Redis or Kafka is
    away. After an error the counters are as they were.
    """
    counters = Counters(settings.redis, settings.kafka.group)
    try:
        return await _Rebuild(counters).run(settings, progress, incomplete)
    finally:
        await counters.close()


class _Rebuild:
    """One run; `generation` names its keys and is also the value of its lock."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.generation = uuid.uuid4().hex[:12]
        self.group = ""
        self.receipts = self.others = self.unreadable = 0

    async def run(
        self, settings: Settings, progress: Callable[[int, int], None], incomplete: bool
    ) -> Rebuilt:
        started = time.monotonic()
        self.group = settings.kafka.group
        await self._lock()
        current = await self.counters.generation()
        leftover = self.generation
        try:
            await self._sweep(lambda generation: generation not in (current, self.generation))
            # receipts are not sent in transactions: one that somebody left open there must not hide them
            kafka = settings.kafka.model_copy(update={"isolation_level": "read_uncommitted"})
            with open_topic(kafka, kafka.tagged_topic) as reader:
                begins = reader.beginnings()
                if any(begins.values()) and not incomplete:
                    raise _incomplete(settings.kafka)
                await self._replay(reader, reader.ends(), begins, progress)
                await self._switch(reader, begins, progress)
            leftover = current
        finally:
            await self._release()
            await self._sweep(lambda generation: generation == leftover)
        seconds = time.monotonic() - started
        return Rebuilt(self.receipts, self.others, self.unreadable, seconds, any(begins.values()))

    async def _replay(
        self,
        reader: TopicReader,
        ends: Mapping[TopicPartition, int],
        begins: Mapping[TopicPartition, int],
        progress: Callable[[int, int], None],
    ) -> None:
        """Count every receipt from where the reader is up to `ends`."""
        batch: list[Receipt] = []
        total = sum(ends.values()) - sum(begins.values())
        for receipt in merge(reader, ends, self._decode, lambda receipt: receipt.tagged_at):
            batch.append(receipt)
            if len(batch) == BATCH:
                await self._count(batch)
                progress(self.receipts + self.others, total)
                batch = []
        await self._count(batch)
        progress(self.receipts + self.others, total)

    def _decode(self, value: bytes | None) -> Receipt | None:
        try:
            receipt = Receipt.model_validate_json(value or b"")
        except ValidationError:  # not ours, and so never counted
            self.unreadable += 1
            return None
        if receipt.group != self.group:
            self.others += 1
            return None
        return receipt

    async def _count(self, batch: list[Receipt]) -> None:
        self.receipts += len(batch)
        by_partition: defaultdict[tuple[str, int], list[Counted]] = defaultdict(list)
        for receipt in batch:
            by_partition[receipt.origin.topic_id, receipt.origin.partition].append(Counted.of(receipt))
        for (topic_id, partition), posts in by_partition.items():
            for chunk in _chunks(posts):
                if await self.counters.write(self.generation, topic_id, partition, chunk) == "lost":
                    raise _lost()

    async def _switch(
        self, reader: TopicReader, begins: Mapping[TopicPartition, int], progress: Callable[[int, int], None]
    ) -> None:
        script = self.counters.client.register_script(_SWITCH.read_text(encoding="utf-8"))
        committed = orjson.dumps(committed_marks(reader.kafka))  # before the ends, as `accounted` below
        for _ in range(ATTEMPTS):
            await self._replay(reader, reader.ends(), begins, progress)  # so that their wait is short
            with redis_faults(self.counters.settings.url):
                await self.counters.client.set(f"{self.counters.root}:hold", self.generation, px=HOLD_MS)
            accounted = await self.counters.marks()  # before the ends: their receipts are then below these
            await self._replay(reader, reader.ends(), begins, progress)
            with redis_faults(self.counters.settings.url):
                answer = await script(
                    keys=[self.counters.root], args=[self.generation, orjson.dumps(accounted), committed]
                )
            if answer == "switched":
                return
            if answer == "lost":
                raise _lost()
        raise TrimodError(
            "the workers count faster than receipts can be read: try again when they have less to do"
        )

    async def _lock(self) -> None:
        with redis_faults(self.counters.settings.url):
            lock = f"{self.counters.root}:rebuild"
            if not await self.counters.client.set(lock, self.generation, nx=True, px=LOCK_MS):
                raise TrimodError(
                    "another `trimod counters rebuild` is running, or died less than a minute ago"
                )

    async def _release(self) -> None:
        root = self.counters.root
        with redis_faults(self.counters.settings.url):
            release = self.counters.client.register_script(_RELEASE)
            await release(keys=[f"{root}:rebuild", f"{root}:hold"], args=[self.generation])

    async def _sweep(self, stale: Callable[[str], bool]) -> None:
        """Delete the keys of generations that are not current: left by a switch or by a rebuild that died."""
        client, root = self.counters.client, self.counters.root
        with redis_faults(self.counters.settings.url):
            async for key in client.scan_iter(match=f"{root}:*:*", count=1000):
                if stale(str(key).removeprefix(f"{root}:").split(":")[0]):
                    await client.unlink(key)


def committed_marks(kafka: Kafka) -> dict[str, int]:
    """`topic UUID:partition` -> highest offset below the workers' committed one, of the posts topic as it
    is now; nothing where there is no such topic."""
    with admin_client(kafka) as admin:
        (topic,) = admin.describe_topics([kafka.posts_topic])
        if topic["error_code"]:
            return {}
        numbers = [each["partition_index"] for each in topic["partitions"]]
        places = [TopicPartition(kafka.posts_topic, number) for number in numbers]
        found = patiently(lambda: admin.list_group_offsets({kafka.group: places}))[kafka.group]
    return {
        f"{topic['topic_id']}:{place.partition}": each.offset - 1
        for place, each in found.items()
        if each.offset > 0
    }


def _chunks(posts: list[Counted]) -> Iterator[list[Counted]]:
    return (posts[start : start + CHUNK] for start in range(0, len(posts), CHUNK))


def _incomplete(kafka: Kafka) -> TrimodError:
    return TrimodError(
        f"the oldest receipts of {kafka.tagged_topic} are no longer kept, so a rebuild would lose what they "
        "counted: nothing was changed; add --incomplete if what is left is worth more than the counts now"
    )


def _lost() -> TrimodError:
    return TrimodError(
        "Redis lost the rebuild's keys (emptied, or away for a minute): nothing was switched; run it again"
    )
