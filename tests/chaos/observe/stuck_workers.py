"""Who is alive and does nothing: seen from outside, by what is committed and what /health says.

A worker is a zombie when its partitions have lag, nothing of them was committed for LIMIT, and it names no fault that
it waits for, though Kafka and Redis run and it was not stopped. And a partition that has lag and no progress for
LONG_LIMIT while both run is stuck, whoever has it and whatever is said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LIMIT = 50.0
"""Seconds; the workers' own watchdogs have their stall limit (30 s) and 10 s to end."""
LONG_LIMIT = 120.0


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at one worker's process."""

    name: str
    runs: bool
    answers: bool
    partitions: frozenset[int]
    waits: bool
    """Whether it names a fault that it waits for."""


@dataclass(slots=True)
class Zombies:
    found: list[str] = field(default_factory=list)
    longest: float = 0.0
    """Seconds that a partition had lag and no progress while Kafka and Redis ran."""
    _well_at: dict[str, float] = field(default_factory=dict)
    _moved_at: dict[int, float] = field(default_factory=dict)
    _committed: dict[int, int] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def look(
        self,
        now: float,
        servers_run: bool,
        sights: Iterable[Sight],
        committed: Mapping[int, int],
        lag: Mapping[int, int],
    ) -> None:
        moved = {part for part, offset in committed.items() if self._committed.get(part) != offset}
        self._committed = dict(committed)
        behind = {part for part, waiting in lag.items() if waiting > 0}
        self._look_at_partitions(now, servers_run, moved, behind)
        for sight in sights:
            mine = sight.partitions & behind
            busy = bool(mine) if sight.answers else bool(behind)
            well = not (sight.runs and servers_run and busy) or mine & moved or sight.waits
            since = self._well_at.setdefault(sight.name, now)
            if well:
                self._well_at[sight.name] = now
            elif now - since > LIMIT:
                self._tell(f"{sight.name} did nothing for {LIMIT:.0f} s, with lag and no fault to wait for")

    def _look_at_partitions(self, now: float, servers_run: bool, moved: set[int], behind: set[int]) -> None:
        there = self._committed.keys() | behind
        self._moved_at = {part: at for part, at in self._moved_at.items() if part in there}
        for part in there:
            if not servers_run or part in moved or part not in behind:
                self._moved_at[part] = now
            idle = now - self._moved_at.setdefault(part, now)
            self.longest = max(self.longest, idle)
            if idle > LONG_LIMIT:
                self._tell(f"partition {part} had lag and no progress for {LONG_LIMIT:.0f} s")

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.found.append(what)
