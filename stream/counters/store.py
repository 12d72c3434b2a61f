"""Live counts in Redis: how often each entity is mentioned, per type, in total and by minute, hour and day.

All keys are below `{prefix}:application@2:`, and so in one slot (`N` is the generation in `generation`):

    generation                 which N is read and written; `counters rebuild` fills another and switches
    N:marks                    hash `topic UUID:partition` -> highest offset counted (the high-water mark)
    N:seen                     sorted set of hashed (source, post id) -> when last tagged: the dedup window
    N:tallies                  hash: posts, duplicates, mentions:TYPE
    N:untrusted                why counts were lost (stream/counters/integrity.py); a rebuild removes it
    N:total:TYPE               sorted set canonical -> mentions ever
    N:forms:TYPE               hash canonical -> its most frequent forms as in posts, with their numbers, at most 8
    N:minute|hour|day:TYPE:S   the same within the bucket that starts at epoch second S (UTC); these expire
    N:expiring                 sorted set of the keys that expire -> when: if one is missing before, it was evicted
    hold, rebuild              locks of a rebuild (stream/counters/rebuild.py)
    journal                    posts in progress (stream/pipeline/journal.py)

The group's entity types are in `{prefix}:application:labels` (stream/counters/group_types.py). Version 1 had its
counters below `{prefix}:application:`, under canonical forms with words. So counts of both versions never mix. While
counters of version 1 exist, ours are not to be trusted; `counters rebuild` recounts their posts and deletes them.

A batch is one call of count.lua. The mark skips redelivered offsets, so it is always safe to repeat a call. The
receipt's `tagged_at` decides everything that a replay of the receipts must reproduce (dedup, "in the future"). Redis's
clock, which all workers share, decides what has expired. A bucket accepts posts until `keep_*` after its end, and
expires `keep_*` after its last write.
"""

import asyncio
import base64
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import orjson

from models.core.errors import TrimodError
from models.text.canonical import canonical, surface
from stream.config.redis import Redis
from stream.connections.redis_client import address, connect, redis_faults
from stream.errors import PassingFault
from stream.messages.receipts import Receipt, ReceiptMention

FUTURE_TOLERANCE_MS = 5 * 60_000
"""A post whose own time is further ahead of its tagging counts in totals only."""
HOLD_MS = 10_000
"""How long `apply` may wait while a rebuild switches generations."""
CHUNK = 500
"""Posts per script call: Redis serves no other client while a script runs."""
VERSION = 2
"""Of the keys and of the canonical forms in them."""
OLDER = "posts were counted under the canonical forms of an older version"
"""Why counters beside those of version 1 are not to be trusted."""
KEYED_SCHEMA = 3
"""The first schema of receipts whose canonical forms are keys of letters and digits."""

_SCRIPT = Path(__file__).with_name("count.lua")
_EVICTED = Path(__file__).with_name("evicted.lua")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CountUpdate:
    """What one tagged post adds. Times in epoch milliseconds; `mentions` are (type, canonical). `forms`, if given, are
    those to show.

    Without a post id it is a dead post, which only moves the mark.
    """

    offset: int
    source: str
    post_id: str
    created_at: int
    tagged_at: int
    mentions: tuple[tuple[str, str], ...]
    forms: tuple[str, ...] = ()

    @classmethod
    def of(cls, receipt: Receipt) -> "CountUpdate":
        """What the post of `receipt` adds."""
        return cls(
            offset=receipt.origin.offset,
            source=receipt.source,
            post_id=receipt.post_id,
            created_at=receipt.created_at,
            tagged_at=receipt.tagged_at,
            mentions=tuple((mention.type, _key(receipt, mention)) for mention in receipt.mentions),
            forms=tuple(surface(mention.text or mention.canonical) for mention in receipt.mentions),
        )

    def batch_entry(self) -> tuple[object, ...]:
        """The post as count.lua takes it."""
        mentions = (
            [(*mention, form) for mention, form in zip(self.mentions, self.forms, strict=True)]
            if self.forms
            else self.mentions
        )
        return self.offset, self.identity(), self.tagged_at, self.created_at, mentions

    def identity(self) -> str:
        """16 characters that identify source and post id in the dedup window; empty for a dead post."""
        if not self.post_id:
            return ""
        digest = hashlib.blake2b(orjson.dumps([self.source, self.post_id]), digest_size=12).digest()
        return base64.b64encode(digest).decode()


def _key(receipt: Receipt, mention: ReceiptMention) -> str:
    return mention.canonical if receipt.schema_ >= KEYED_SCHEMA else canonical(mention.canonical)


class Ranked(NamedTuple):
    """An entity in a ranking. `text`: the form seen most often."""

    text: str
    canonical: str
    mentions: int


class Counters:
    """The counters of one application (consumer group). All methods raise PassingFault while Redis is unavailable."""

    def __init__(self, settings: Redis, application: str) -> None:
        self.settings = settings
        self.group_root = f"{{{settings.prefix}}}:{quote(application, safe='')}"
        """Of the group's keys that do not depend on the version of the counters."""
        self.root = f"{self.group_root}@{VERSION}"
        self.client = connect(settings)
        self._script = self.client.register_script(_SCRIPT.read_text(encoding="utf-8"))
        self._evicted = self.client.register_script(_EVICTED.read_text(encoding="utf-8"))
        self._buckets = (
            ("minute", 60, settings.keep_minutes),
            ("hour", 3600, settings.keep_hours),
            ("day", 86400, settings.keep_days),
        )
        self._options = orjson.dumps(
            {
                "window": round(settings.dedup_window * 1000),
                "tolerance": FUTURE_TOLERANCE_MS,
                "buckets": [(name, seconds, round(keep * 1000)) for name, seconds, keep in self._buckets],
            }
        )

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def apply(self, topic_uuid: str, partition: int, posts: Sequence[CountUpdate]) -> int:
        """Count posts of one partition, in offset order; safe to repeat after any error.

        Returns the partition's previous mark, or -1 if nothing was counted. If it is below what the caller has counted
        before, Redis has lost counts. Waits while a rebuild switches generations, and raises PassingFault if that takes
        too long.
        """
        deadline = time.monotonic() + 2 * HOLD_MS / 1000
        marks = []
        for start in range(0, max(len(posts), 1), CHUNK):
            chunk = posts[start : start + CHUNK]
            while (answer := await self.write("", topic_uuid, partition, chunk)) == "held":
                if time.monotonic() > deadline:
                    raise PassingFault(f"counters at {address(self.settings.url)} are locked by a rebuild")
                await asyncio.sleep(0.02)
            marks.append(int(answer))
        return marks[0]

    async def write(
        self, generation: str, topic_uuid: str, partition: int, posts: Sequence[CountUpdate]
    ) -> str:
        """One call of the script; count.lua documents its answer. `generation` is '' except in a rebuild."""
        batch = [post.batch_entry() for post in posts]
        arguments: list[str | bytes] = [
            generation,
            f"{topic_uuid}:{partition}",
            self._options,
            orjson.dumps(batch),
        ]
        with redis_faults(self.settings.url):
            return str(await self._script(keys=[self.root], args=arguments))

    async def generation(self) -> str:
        """Name of the current generation of keys."""
        with redis_faults(self.settings.url):
            return str(await self.client.get(f"{self.root}:generation") or "0")

    async def marks(self) -> dict[str, int]:
        """`topic UUID:partition` -> highest offset counted."""
        found = await self._read(lambda base: self.client.hgetall(f"{base}:marks"))
        return {str(field): int(offset) for field, offset in found.items()}

    async def evicted(self) -> tuple[int, str]:
        """The number of missing keys, and one of them."""
        with redis_faults(self.settings.url):
            gone, one = await self._evicted(keys=[self.root])
        return int(gone), str(one)

    async def eviction_policy(self) -> str:
        """Redis's `maxmemory-policy`; empty if Redis does not report it."""
        with redis_faults(self.settings.url):
            return str((await self.client.info("memory")).get("maxmemory_policy", ""))

    async def distrust(self, reason: str) -> str:
        """Store for all workers that counts were lost; returns the name of the affected generation."""
        generation = await self.generation()
        with redis_faults(self.settings.url):
            await self.client.set(f"{self.root}:{generation}:untrusted", reason, nx=True)
        return generation

    async def distrusted(self) -> tuple[str, str]:
        """(current generation, why its counts are not to be trusted); the reason is empty if they are."""
        generation = await self.generation()
        with redis_faults(self.settings.url):
            return generation, str(await self.client.get(f"{self.root}:{generation}:untrusted") or "")

    async def older(self) -> bool:
        """Whether there are counters of version 1: from before an upgrade, or written by a worker of that version."""
        with redis_faults(self.settings.url):
            keys = f"{self.group_root}:generation", f"{self.group_root}:0:marks"
            return bool(await self.client.exists(*keys))

    async def tallies(self) -> dict[str, int]:
        """`posts` counted, `duplicates` skipped, `mentions:TYPE`."""
        found = await self._read(lambda base: self.client.hgetall(f"{base}:tallies"))
        return {str(name): int(n) for name, n in found.items()}

    async def newest(self, type_: str | None) -> int | None:
        """Epoch second at which the newest bucket of a type (of any, if None) begins; None if there is no bucket."""

        names = {name for name, *_ in self._buckets}

        async def read(base: str) -> int | None:
            keys: list[str] = await self.client.zrange(f"{base}:expiring", 0, -1)  # type: ignore[assignment]
            parts = (key.removeprefix(f"{base}:").partition(":") for key in keys)
            buckets = (rest.rpartition(":") for name, _, rest in parts if name in names)
            return max((int(start) for kind, _, start in buckets if type_ in (None, kind)), default=None)

        return await self._read(read)

    async def totals(self) -> dict[str, dict[str, int]]:
        """Type -> canonical -> mentions ever: everything, for checks; users need `top`."""
        return {type_: dict(rows) for type_, rows in (await self.top(None, None, None)).items()}

    async def top(
        self, type_: str | None, window: float | None, limit: int | None
    ) -> dict[str, list[tuple[str, int]]]:
        """The most mentioned entities of one type or of each, as (canonical, mentions), most first.

        window: seconds until now, from the finest buckets kept that long, rounded up to whole buckets; None for all
        time. limit: rows per type; None for all. Raises TrimodError for a window that is longer than counts are kept.
        """
        buckets = None if window is None else await self._covering(window)

        async def read(base: str) -> dict[str, list[tuple[str, int]]]:
            types = [type_] if type_ else await self._types(base)
            return {name: await self._rank(base, name, buckets, limit) for name in types}

        return await self._read(read)

    async def most_mentioned(
        self, type_: str | None, window: float | None, limit: int | None
    ) -> dict[str, list[Ranked]]:
        """As `top`, with the form to show: of all time, also if there is a window."""
        ranking = await self.top(type_, window, limit)
        return {kind: await self._shown(kind, rows) for kind, rows in ranking.items()}

    async def _shown(self, type_: str, rows: Sequence[tuple[str, int]]) -> list[Ranked]:
        async def read(base: str) -> list[str | None]:
            found: list[Any] = await self.client.hmget(f"{base}:forms:{type_}", [key for key, _ in rows])
            return found

        packed = await self._read(read) if rows else []
        return [
            Ranked(_most_frequent(forms) or key, key, n) for (key, n), forms in zip(rows, packed, strict=True)
        ]

    async def _covering(self, window: float) -> tuple[str, range]:
        """(name, starts) of the finest buckets that are kept for `window` seconds."""
        with redis_faults(self.settings.url):
            seconds, microseconds = await self.client.time()
        now = seconds + microseconds / 1e6
        for name, width, keep in self._buckets:
            if window <= keep:
                return name, range(math.floor((now - window) / width) * width, math.ceil(now), width)
        raise TrimodError(
            f"counts by time are kept for {keep / 86400:g} days (redis.keep_days): use a shorter window"
        )

    async def _types(self, base: str) -> list[str]:
        fields: Any = await self.client.hkeys(f"{base}:tallies")
        return sorted(name.removeprefix("mentions:") for name in fields if name.startswith("mentions:"))

    async def _rank(
        self, base: str, type_: str, buckets: tuple[str, range] | None, limit: int | None
    ) -> list[tuple[str, int]]:
        last = -1 if limit is None else limit - 1
        async with self.client.pipeline(transaction=True) as pipe:
            if buckets is None:
                pipe.zrevrange(f"{base}:total:{type_}", 0, last, withscores=True)
            else:
                # into a key that lives only inside this transaction: the whole union never crosses the wire
                name, starts = buckets
                pipe.zunionstore(f"{base}:union", [f"{base}:{name}:{type_}:{start}" for start in starts])
                pipe.zrevrange(f"{base}:union", 0, last, withscores=True)
                pipe.delete(f"{base}:union")
            results: list[Any] = await pipe.execute()
        return [(canonical, int(score)) for canonical, score in results[0 if buckets is None else 1]]

    async def _read(self, read: Callable[[str], Awaitable[_T]]) -> _T:
        """`read(base of the current generation)`, repeated if a rebuild switches generations meanwhile."""
        with redis_faults(self.settings.url):
            while True:
                before = await self.generation()
                result = await read(f"{self.root}:{before}")
                if await self.generation() == before:
                    return result


def _most_frequent(packed: str | None) -> str:
    """The most frequent of the forms that count.lua packed; on a tie, one without `#` or `@`. Empty if none."""
    lines = [line.partition(" ") for line in (packed or "").splitlines()]
    ranked = max(((int(n), form[0] not in "#@", form) for n, _, form in lines), default=(0, False, ""))
    return ranked[2]
