"""Recomputes exact counters from the receipts, while workers continue to tag and count.

Receipts before schema 3 have canonical forms with words, which are made keys here.

The group's receipts in `posts.tagged` (other groups may share the topic) are replayed in the order of tagging. The live
counting script counts them into keys of a new generation. Then the workers' counting is paused while the last receipts
are read. One script switches to the new generation if that has seen every offset that the old one has.

A worker publishes a receipt before it counts the post, so everything counted has a receipt. Posts that workers have
published but not counted are above or below the new generation's marks, which decide. Dead posts and offsets without
posts have no receipt: the group's committed offsets move the marks past them. Counts by time are not restored if their
buckets have expired.
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
from stream.counters.store import CHUNK, HOLD_MS, Counters, CountUpdate
from stream.kafka.reader import TopicReader, merge, open_topic
from stream.kafka.topics import admin_client, patiently
from stream.messages.receipts import Receipt

LOCK_MS = 60_000
"""How long a stuck rebuild blocks others; count.lua renews it."""
ATTEMPTS = 10
"""Switches tried before giving up on workers that count faster than receipts are read."""
BATCH = 4000
"""Receipts that are counted at once."""

_SWITCH = Path(__file__).with_name("switch_generation.lua")
_RELEASE = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """The result of a rebuild. `others`: receipts of other groups, which count there. `incomplete`: the first receipts
    are no longer kept, so their counts are lost."""

    receipts: int
    others: int
    unreadable: int
    seconds: float
    incomplete: bool


async def rebuild(
    settings: Settings,
    progress: Callable[[int, int], None] = lambda read, total: None,
    incomplete: bool = False,
) -> RebuildResult:
    """Recompute the counters of the workers' group and switch to them; `progress` gets (read, total).

    `incomplete` allows it if the first receipts are no longer kept; otherwise that is a TrimodError. So is another
    running rebuild, or a Redis that is emptied meanwhile. Raises PassingFault if Redis or Kafka is unavailable. After
    an error, the counters are unchanged.
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
    ) -> RebuildResult:
        started = time.monotonic()
        self.group = settings.kafka.group
        await self._lock()
        current = await self.counters.generation()
        leftover = self.generation
        try:
            await self._sweep(lambda generation: generation not in (current, self.generation))
            # receipts are not sent in transactions: an open transaction of another producer must not hide them
            kafka = settings.kafka.model_copy(update={"isolation_level": "read_uncommitted"})
            with open_topic(kafka, kafka.tagged_topic) as reader:
                begins = reader.beginnings()
                if any(begins.values()) and not incomplete:
                    raise _incomplete(settings.kafka)
                await self._replay(reader, reader.ends(), begins, progress)
                await self._switch(reader, begins, progress)
            leftover = current
            await self._delete_older()
        finally:
            await self._release()
            await self._sweep(lambda generation: generation == leftover)
        seconds = time.monotonic() - started
        return RebuildResult(self.receipts, self.others, self.unreadable, seconds, any(begins.values()))

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
        by_partition: defaultdict[tuple[str, int], list[CountUpdate]] = defaultdict(list)
        for receipt in batch:
            by_partition[receipt.origin.topic_id, receipt.origin.partition].append(CountUpdate.of(receipt))
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
            await self._replay(reader, reader.ends(), begins, progress)  # so that the wait is short
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
        raise TrimodError("the workers count faster than receipts can be read: try again under less load")

    async def _lock(self) -> None:
        with redis_faults(self.counters.settings.url):
            lock = f"{self.counters.root}:rebuild"
            if not await self.counters.client.set(lock, self.generation, nx=True, px=LOCK_MS):
                raise TrimodError(
                    "another `trimod counters rebuild` is running, or was killed less than a minute ago"
                )

    async def _release(self) -> None:
        root = self.counters.root
        with redis_faults(self.counters.settings.url):
            release = self.counters.client.register_script(_RELEASE)
            await release(keys=[f"{root}:rebuild", f"{root}:hold"], args=[self.generation])

    async def _delete_older(self) -> None:
        """Delete the counters of version 1: their posts are counted in ours. If a worker of that version counts again,
        our workers report it."""
        client, root = self.counters.client, self.counters.group_root
        with redis_faults(self.counters.settings.url):
            async for key in client.scan_iter(match=f"{root}:*", count=1000):
                if str(key) != f"{root}:labels":
                    await client.unlink(key)

    async def _sweep(self, stale: Callable[[str], bool]) -> None:
        """Delete the keys of generations that are not current: left by a switch or by a killed rebuild."""
        client, root = self.counters.client, self.counters.root
        with redis_faults(self.counters.settings.url):
            async for key in client.scan_iter(match=f"{root}:*:*", count=1000):
                if stale(str(key).removeprefix(f"{root}:").split(":")[0]):
                    await client.unlink(key)


def committed_marks(kafka: Kafka) -> dict[str, int]:
    """`topic UUID:partition` -> highest offset below the workers' committed one, of the current posts
    topic; empty if there is no such topic."""
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


def _chunks(posts: list[CountUpdate]) -> Iterator[list[CountUpdate]]:
    return (posts[start : start + CHUNK] for start in range(0, len(posts), CHUNK))


def _incomplete(kafka: Kafka) -> TrimodError:
    return TrimodError(
        f"the oldest receipts of {kafka.tagged_topic} are no longer kept, so a rebuild would lose their counts. "
        "Nothing was changed; add --incomplete if the remaining receipts are worth more than the current counts"
    )


def _lost() -> TrimodError:
    return TrimodError(
        "Redis lost the rebuild's keys (emptied, or unavailable for a minute): nothing was switched; run it again"
    )
