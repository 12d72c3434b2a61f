"""The journal of offsets in progress: it outlives the process, so that a post which kills workers can be found.

It is one hash in Redis, `{prefix}:application:journal`, with a field per topic UUID and partition. Before a worker
processes a post, it stores its highest offset of the partition. On a clean exit or revocation, it releases the entry.
If the next owner finds an unreleased entry, the earlier worker died with posts up to there in progress. Or it was
stopped for longer than its session. After DEATHS deaths with the same posts in progress, these are processed one at a
time. Before each of them, the golden posts must be tagged as before, and nothing else is in progress in the process.
The post that was alone at a death is the one that kills workers, and is moved to the dead-letter topic.

An unavailable Redis delays nothing: the worker continues without a journal and retries after REST seconds. Foreign data
under the key do not stop it either; they are overwritten.
"""

import asyncio
import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stream.connections.redis_client import redis_faults
from stream.counters.store import Counters
from stream.errors import BrokenWorker, PassingFault

DEATHS = 2
"""Deaths with the same posts in progress after which these are processed one at a time."""
PATIENCE = 1.0
"""Seconds for Redis to store what is about to be processed."""
REST = 5.0
"""Seconds without a journal after Redis failed."""
KEEP = 7 * 86400
"""Seconds after the last write until the journal expires."""

log = logging.getLogger("trimod.worker")

_LET_GO = """
for i = 1, #ARGV, 3 do
  local found = redis.call('HGET', KEYS[1], ARGV[i])
  if found and string.find(found, ARGV[i + 1], 1, true) then
    if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
    else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
  end
end
"""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What earlier deaths say about a partition's posts."""

    deaths: int = 0
    """Number in a row with the same posts in progress."""
    up_to: int = -1
    """The last offset of these posts."""
    killers: tuple[int, ...] = ()
    """Offsets that were in progress alone at a death, and are not committed yet."""

    def careful(self, offset: int) -> bool:
        """Whether the post at `offset` must be processed alone."""
        return self.deaths >= DEATHS and offset <= self.up_to


@dataclass(frozen=True, slots=True)
class Entry:
    """What a worker stores about a partition."""

    owner: str
    hi: int | None
    """Highest offset that may be in progress; None if there is none: the entry was released."""
    alone: int | None
    """Offset that is in progress alone."""
    suspicion: Suspicion


ENTRY = TypeAdapter(Entry)


def suspect(entry: Entry | None, first: int) -> Suspicion:
    """What an existing entry says about the posts from `first`, the next offset to read."""
    if entry is None:
        return Suspicion()
    before = entry.suspicion
    known = before.deaths > 0 and before.up_to >= first  # otherwise, there was progress
    killers = {*before.killers, *(() if entry.alone is None else (entry.alone,))}
    left = tuple(sorted(killer for killer in killers if killer >= first))
    if entry.hi is not None and entry.hi >= first:
        # If suspects were processed one at a time and none was alone at this death, the killer is beyond them: an
        # unavailable Redis had not stored it.
        missed = before.deaths >= DEATHS and entry.alone is None
        up_to = min(entry.hi, before.up_to) if known and not missed else entry.hi
        return Suspicion(before.deaths + 1 if known else 1, up_to, left)
    return Suspicion(before.deaths, before.up_to, left) if known else Suspicion(killers=left)


class JournalEntry:
    """The journal entry of one assignment."""

    def __init__(self, field: str, suspicion: Suspicion) -> None:
        self.field, self.suspicion = field, suspicion
        self.hi: int | None = None
        """Highest offset stored."""


class Journal:
    """The journal of one worker; shares the counters' connection."""

    def __init__(self, counters: Counters) -> None:
        self._client = counters.client
        self._url = counters.settings.url
        self._key = f"{counters.root}:journal"
        self._owner = uuid.uuid4().hex
        self._let_go = self._client.register_script(_LET_GO)
        self._resting_until = 0.0
        self._noting = asyncio.Lock()

    async def claim(self, topic_id: str, partition: int, first: int) -> JournalEntry:
        """Start an assignment that is read from `first`: find out whether its posts are suspects."""
        field = f"{topic_id}:{partition}"
        found = await self._try(self._client.hget(self._key, field))
        claim = JournalEntry(field, suspect(_decoded(found), first))
        if claim.suspicion.deaths or claim.suspicion.killers:
            log.warning("partition %d: %s", partition, _about(claim.suspicion))
        await self._write({claim: (None, None)})
        return claim

    async def note(self, taken: Mapping[JournalEntry, int]) -> None:
        """Posts up to these offsets are about to be processed."""
        async with self._noting:  # concurrent calls could write an older note last
            await self._write(
                {claim: (hi, None) for claim, hi in taken.items() if claim.hi is None or hi > claim.hi}
            )

    async def note_alone(self, claim: JournalEntry, offset: int) -> None:
        """The post at `offset` is about to be processed alone."""
        await self._write({claim: (max(offset, claim.hi or -1), offset)})

    async def note_survived(self, claim: JournalEntry) -> None:
        """It was processed, and the worker survived."""
        await self._write({claim: (claim.hi, None)})

    async def let_go(self, claims: Iterable[tuple[JournalEntry, int]]) -> None:
        """Give up partitions cleanly: nothing is in progress. Each comes with its next offset to read: suspicions about
        posts from there on are left to the next owner."""
        arguments: list[str | bytes] = []
        for claim, first in claims:
            entry = Entry(self._owner, None, None, claim.suspicion)
            left = suspect(entry, first)
            keep = ENTRY.dump_json(entry) if left.deaths or left.killers else b""
            arguments += [claim.field, self._owner, keep]
        if arguments:
            await self._try(self._let_go(keys=[self._key], args=arguments))

    async def _write(self, entries: Mapping[JournalEntry, tuple[int | None, int | None]]) -> None:
        if not entries:
            return
        pages: dict[Any, Any] = {
            claim.field: ENTRY.dump_json(Entry(self._owner, hi, alone, claim.suspicion))
            for claim, (hi, alone) in entries.items()
        }
        pipe = self._client.pipeline(transaction=False)
        pipe.hset(self._key, mapping=pages)
        pipe.expire(self._key, KEEP)
        if await self._try(pipe.execute()) is not None:
            for claim, (hi, _) in entries.items():
                claim.hi = hi

    async def _try(self, call: Any) -> Any:
        """The result of `call`; None while the journal is unavailable."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting_until:
            if asyncio.iscoroutine(call):
                call.close()
            return None
        try:
            with redis_faults(self._url):
                async with asyncio.timeout(PATIENCE):
                    return await call
        except (PassingFault, BrokenWorker, TimeoutError) as fault:
            log.warning("no journal of posts in progress for %.0f s: %s", REST, fault or "Redis is slow")
            self._resting_until = loop.time() + REST
            return None


def _decoded(found: str | None) -> Entry | None:
    try:
        return None if found is None else ENTRY.validate_json(found)
    except ValidationError:
        return None


def _about(suspicion: Suspicion) -> str:
    deaths = f"{suspicion.deaths} workers died in a row with posts up to offset {suspicion.up_to} in progress"
    if suspicion.deaths >= DEATHS:
        deaths += ", which are now tagged one at a time"
    killers = ", ".join(map(str, suspicion.killers))
    return f"{deaths}; posts that kill workers: offset {killers}" if killers else deaths
