"""The journal of offsets in work: it outlives the process, so that a post which kills it can be found.

One hash in Redis, `{prefix}:application:journal`, a field per topic UUID and partition. A worker writes down how far
it has taken a partition up before it works on a post, and lets go of the entry when it ends or gives the partition up
in order. Whoever gets a partition and finds an entry that nobody let go of knows: its worker died (or was stopped for
longer than its session) with posts up to there in work. After DEATHS deaths that all had the same posts in work, these
are worked on one at a time, each after golden posts were tagged as ever and with nothing else in work in the
process; the one that is alone at a death is the killer, and goes to the dead-letter topic.

A Redis that is away holds nothing up: the worker goes on without a journal and tries again after REST seconds.
Foreign data under the key are no reason to end either; they are written over.
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
"""Deaths with the same posts in work after which these are taken one at a time."""


PATIENCE = 1.0
"""Seconds that Redis gets to write down what is about to be worked on."""


REST = 5.0
"""Seconds without a journal after Redis failed to."""


KEEP = 7 * 86400
"""Seconds after its last write that the journal expires."""


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
    """What earlier deaths say of a partition's posts."""

    deaths: int = 0
    """In a row that had the same posts in work."""
    up_to: int = -1
    """Last of these posts' offsets."""
    killers: tuple[int, ...] = ()
    """Offsets that were alone in work at a death, and are not committed yet."""

    def careful(self, offset: int) -> bool:
        """Whether the post at `offset` is to be worked on alone."""
        return self.deaths >= DEATHS and offset <= self.up_to


@dataclass(frozen=True, slots=True)
class Entry:
    """What a worker writes down of a partition."""

    owner: str
    hi: int | None
    """Highest offset that may be in work; None where none is: let go of in order."""
    alone: int | None
    """Offset that is in work alone."""
    suspicion: Suspicion


ENTRY = TypeAdapter(Entry)


def suspect(entry: Entry | None, first: int) -> Suspicion:
    """What a found entry says of the posts from `first` on, the offset that is to be read next."""
    if entry is None:
        return Suspicion()
    before = entry.suspicion
    known = before.deaths > 0 and before.up_to >= first  # else there was progress beyond these posts
    killers = {*before.killers, *(() if entry.alone is None else (entry.alone,))}
    left = tuple(sorted(killer for killer in killers if killer >= first))
    if entry.hi is not None and entry.hi >= first:
        # Where the suspects went one at a time and none was alone at this death, the killer is beyond them: a Redis
        # that was away did not hear of it before.
        missed = before.deaths >= DEATHS and entry.alone is None
        up_to = min(entry.hi, before.up_to) if known and not missed else entry.hi
        return Suspicion(before.deaths + 1 if known else 1, up_to, left)
    return Suspicion(before.deaths, before.up_to, left) if known else Suspicion(killers=left)


class Claim:
    """One assignment's page in the journal."""

    def __init__(self, field: str, suspicion: Suspicion) -> None:
        self.field, self.suspicion = field, suspicion
        self.hi: int | None = None
        """Highest offset written down."""


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

    async def claim(self, topic_id: str, partition: int, first: int) -> Claim:
        """Begin an assignment that is read from `first`: find out what its posts are suspected of."""
        field = f"{topic_id}:{partition}"
        found = await self._try(self._client.hget(self._key, field))
        claim = Claim(field, suspect(_decoded(found), first))
        if claim.suspicion.deaths or claim.suspicion.killers:
            log.warning("partition %d: %s", partition, _about(claim.suspicion))
        await self._write({claim: (None, None)})
        return claim

    async def note(self, taken: Mapping[Claim, int]) -> None:
        """Posts up to these offsets are about to be worked on."""
        async with self._noting:  # side by side, what was noted first could be written last
            await self._write(
                {claim: (hi, None) for claim, hi in taken.items() if claim.hi is None or hi > claim.hi}
            )

    async def note_alone(self, claim: Claim, offset: int) -> None:
        """The post at `offset` is about to be worked on, and nothing else is."""
        await self._write({claim: (max(offset, claim.hi or -1), offset)})

    async def note_survived(self, claim: Claim) -> None:
        """It was worked on, and did no harm."""
        await self._write({claim: (claim.hi, None)})

    async def let_go(self, claims: Iterable[tuple[Claim, int]]) -> None:
        """Give partitions up in order: nothing is in work. With the offset to be read next of each: what is
        suspected of posts from there on is left to the next owner."""
        arguments: list[str | bytes] = []
        for claim, first in claims:
            entry = Entry(self._owner, None, None, claim.suspicion)
            left = suspect(entry, first)
            keep = ENTRY.dump_json(entry) if left.deaths or left.killers else b""
            arguments += [claim.field, self._owner, keep]
        if arguments:
            await self._try(self._let_go(keys=[self._key], args=arguments))

    async def _write(self, entries: Mapping[Claim, tuple[int | None, int | None]]) -> None:
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
        """The result of `call`; None while there is no journal to be had."""
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
            log.warning("no journal of the posts in work for %.0f s: %s", REST, fault or "Redis is slow")
            self._resting_until = loop.time() + REST
            return None


def _decoded(found: str | None) -> Entry | None:
    try:
        return None if found is None else ENTRY.validate_json(found)
    except ValidationError:
        return None


def _about(suspicion: Suspicion) -> str:
    deaths = f"{suspicion.deaths} workers died in a row with posts up to offset {suspicion.up_to} in work"
    if suspicion.deaths >= DEATHS:
        deaths += ", which are now tagged one at a time"
    killers = ", ".join(map(str, suspicion.killers))
    return f"{deaths}; a killer is at offset {killers}" if killers else deaths
