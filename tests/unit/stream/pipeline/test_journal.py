"""Who is suspected after which deaths, and that nobody is after an end in order. The Redis side is in
tests/integration/worker/test_journal.py."""

import asyncio
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.pipeline.journal import ENTRY, Entry, Journal, JournalEntry, Suspicion, suspect


def entry(hi: int | None, alone: int | None = None, **suspicion: int) -> Entry:
    return Entry("somebody", hi, alone, Suspicion(**suspicion))


def after(*ends: tuple[int | None, int | None, int]) -> Suspicion:
    """The suspicion after lives that ended with (hi, alone) in work; the last is the next one's first offset."""
    suspicion = Suspicion()
    for hi, alone, first in ends:
        suspicion = suspect(Entry("somebody", hi, alone, suspicion), first)
    return suspicion


def test_nothing_found_means_nothing_suspected() -> None:
    assert Suspicion() == suspect(None, 10)


def test_who_ended_in_order_or_had_nothing_in_work_left_no_suspicion() -> None:
    assert Suspicion() == suspect(entry(None), 10)
    assert Suspicion() == suspect(entry(9), 10)


def test_a_death_makes_what_was_in_work_suspect_and_two_make_us_careful() -> None:
    once = after((20, None, 10))
    assert (1, 20, False) == (once.deaths, once.up_to, once.careful(15))
    twice = after((20, None, 10), (17, None, 12))
    assert (2, 17) == (twice.deaths, twice.up_to)
    assert [True, True, False] == [twice.careful(offset) for offset in (12, 17, 18)]


def test_progress_beyond_the_suspect_posts_clears_them() -> None:
    assert Suspicion(1, 40) == after((20, None, 10), (40, None, 21))


def test_who_is_alone_at_a_death_is_the_killer_until_it_is_committed() -> None:
    found = after((20, None, 10), (20, None, 10), (15, 15, 15))
    assert (15,) == found.killers
    assert (15,) == suspect(Entry("other", None, None, found), 15).killers  # a rebalance in between
    assert () == suspect(Entry("other", None, None, found), 16).killers


def test_what_is_suspected_outlives_an_end_in_order() -> None:
    """Else a rebalance between two deaths would save the killer."""
    assert Suspicion(1, 20) == after((20, None, 10), (None, None, 12))
    assert Suspicion(2, 20) == after((20, None, 10), (None, None, 12), (30, None, 12))


def test_a_killer_that_one_life_failed_to_note_is_found_too() -> None:
    """Redis was away, or somebody killed the worker for another reason: suspects below the killer must not hide it."""
    unnoted = after((0, None, 0), (5, None, 0))
    assert not unnoted.careful(3)
    assert after((0, None, 0), (5, None, 0), (5, None, 0)).careful(3)


class SlowFirst:
    """A Redis whose first write arrives last, as on a connection of its own; `pages` is what it holds."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self._delays = iter((0.05, 0.0))

    def register_script(self, script: str) -> None:
        pass

    def pipeline(self, transaction: bool) -> "SlowFirst":
        return self

    def hset(self, key: str, mapping: dict[str, bytes]) -> None:
        self._new = mapping

    def expire(self, key: str, seconds: int) -> None:
        pass

    def execute(self) -> Any:
        new, delay = self._new, next(self._delays)

        async def arrive() -> bool:
            await asyncio.sleep(delay)
            self.pages |= new
            return True

        return arrive()


def test_what_is_noted_side_by_side_is_written_in_order() -> None:
    """Two threads' posts at once: a page that names the lower offset would leave the killer out."""

    async def noted() -> Entry:
        redis: Any = SlowFirst()
        counters: Any = SimpleNamespace(client=redis, settings=SimpleNamespace(url="redis://x"), root="r")
        journal, claim = Journal(counters), JournalEntry("topic:0", Suspicion())
        await asyncio.gather(journal.note({claim: 0}), journal.note({claim: 2}))
        return ENTRY.validate_json(redis.pages["topic:0"])

    assert 2 == asyncio.run(noted()).hi


@given(
    killer=st.integers(0, 30),
    lives=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), min_size=8, max_size=8),
)
def test_a_killer_is_always_found(killer: int, lives: list[tuple[int, int]]) -> None:
    """Whatever else each worker had in work when the same post killed it, and however far each had come."""
    suspicion, committed = Suspicion(), 0
    for step, more in lives:
        committed = min(killer, committed + step)
        if killer in suspicion.killers:
            return
        alone = killer if suspicion.careful(killer) else None
        hi = killer if alone is not None else killer + more
        suspicion = suspect(Entry("one", hi, alone, suspicion), committed)
        assert all(each == killer for each in suspicion.killers)
    assert (killer,) == suspicion.killers
