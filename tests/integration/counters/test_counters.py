"""The counters' script on a real Redis against a plain model: redelivery, repeats, odd times."""

import asyncio
import time
import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.core.errors import TrimodError
from stream.config.redis import Redis
from stream.counters.store import CHUNK, Counters, CountUpdate
from stream.errors import BrokenWorker, PassingFault

pytestmark = pytest.mark.integration

HOUR = 3_600_000
WINDOW = 600.0


def run(url: str, use: Any, **options: Any) -> Any:
    """What `use(counters)` returns on fresh keys, which are deleted after."""

    async def main() -> Any:
        counters = Counters(Redis(url=url, prefix=f"t{uuid.uuid4().hex}", **options), "app")
        try:
            return await use(counters)
        finally:
            async for key in counters.client.scan_iter(match=f"{counters.root}:*"):
                await counters.client.delete(key)
            await counters.close()

    return asyncio.run(main())


def post(
    offset: int, post_id: str = "", at: int = 0, created: int | None = None, **mentions: str
) -> CountUpdate:
    """A post tagged `at` ms from now that mentions one entity per type given."""
    now = int(time.time() * 1000) + at
    return CountUpdate(
        offset=offset,
        source="s",
        post_id=post_id or f"p{offset}",
        created_at=now if created is None else now + created,
        tagged_at=now,
        mentions=tuple(mentions.items()),
    )


class Model:
    """The rules in plain Python: totals and what is passed over."""

    def __init__(self) -> None:
        self.marks: dict[int, int] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.totals: Counter[tuple[str, str]] = Counter()
        self.tallies: Counter[str] = Counter()

    def apply(self, partition: int, posts: list[CountUpdate]) -> None:
        new = [one for one in posts if one.offset > self.marks.get(partition, -1)]
        for one in new:
            self.marks[partition] = one.offset
            last = self.seen.get((one.source, one.post_id))
            self.seen[one.source, one.post_id] = max(one.tagged_at, last or 0)
            if last is not None and abs(one.tagged_at - last) < WINDOW * 1000:
                self.tallies["duplicates"] += 1
                continue
            self.tallies["posts"] += 1
            self.totals.update(one.mentions)
        if new:  # what is older than the window is forgotten, even if another partition is still late with it
            oldest = max(one.tagged_at for one in new) - WINDOW * 1000
            self.seen = {name: at for name, at in self.seen.items() if at >= oldest}


MENTIONS = st.lists(
    st.tuples(st.sampled_from(["PER", "LOC"]), st.sampled_from(["a", "b c", "東京", "x:y", "{z}"])),
    max_size=3,
)
LOG = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from([0, 1, 200_000, 599_999, 600_000]), MENTIONS),
    max_size=25,
)


@given(data=st.data(), logs=st.lists(LOG, min_size=1, max_size=2))
@settings(max_examples=60, deadline=None)
def test_redelivered_and_repeated_posts_count_once(
    redis_url: str, data: st.DataObject, logs: list[Any]
) -> None:
    """Batches are cut anew at every delivery, and start again at or before the mark, as after a crash."""
    at = int(time.time() * 1000) - 24 * HOUR
    partitions: list[list[CountUpdate]] = []
    for log in logs:
        posts = []
        for offset, (post_id, step, mentions) in enumerate(log):
            at += step
            posts.append(
                CountUpdate(offset * 2, "s", post_id, at, at, tuple(mentions))
            )  # offsets may have gaps
        partitions.append(posts)
    deliveries: list[list[tuple[int, list[CountUpdate]]]] = [[] for _ in partitions]
    for number, posts in enumerate(partitions):
        done = 0
        while done < len(posts):
            start = data.draw(st.integers(0, done))
            done = max(done, end := data.draw(st.integers(start, len(posts))))
            deliveries[number].append((number, posts[start:end]))
            if end == start:
                done = min(done + 1, len(posts))
                deliveries[number].append((number, posts[start:done]))

    order = data.draw(st.permutations([number for number, row in enumerate(deliveries) for _ in row]))
    arrivals = [
        deliveries[number].pop(0) for number in order
    ]  # partitions interleave: times go back and forth

    async def use(counters: Counters) -> Any:
        for number, batch in arrivals:
            await counters.apply("uuid", number, batch)
        return await counters.totals(), await counters.tallies(), await counters.marks()

    totals, tallies, marks = run(redis_url, use, dedup_window=WINDOW)
    model = Model()
    for number, batch in arrivals:
        model.apply(number, batch)
    assert dict(model.totals) == {(kind, name): n for kind, row in totals.items() for name, n in row.items()}
    assert dict(model.tallies) == {name: n for name, n in tallies.items() if not name.startswith("mentions:")}
    assert {f"uuid:{number}": mark for number, mark in model.marks.items()} == marks


def test_a_topic_made_anew_starts_its_own_offsets(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        await counters.apply("old", 0, [post(7, PER="ada")])
        await counters.apply("new", 0, [post(0, "other", PER="ada")])
        return (
            await counters.totals(),
            (await counters.marks()).get("old:0"),
            (await counters.marks()).get("older:0"),
        )

    assert ({"PER": {"ada": 2}}, 7, None) == run(redis_url, use)


def test_dead_posts_pass_the_mark_and_are_not_counted(redis_url: str) -> None:
    """Two of them must not be taken for repeats of each other; they have no receipt that a rebuild could count."""

    async def use(counters: Counters) -> Any:
        now = int(time.time() * 1000)
        await counters.apply("u", 0, [CountUpdate(n, "", "", now, now, ()) for n in range(3)])
        return await counters.tallies(), (await counters.marks()).get("u:0")

    assert ({}, 2) == run(redis_url, use)


def test_apply_tells_the_mark_as_it_was(redis_url: str) -> None:
    """So a worker notices when Redis forgot what it had counted, also over batches of several script calls."""

    async def use(counters: Counters) -> list[int]:
        batches: list[list[CountUpdate]] = [
            [post(0)], [post(1), post(2)], [post(2)], [], [post(n) for n in range(3, CHUNK + 9)], [post(2**53 - 1)]
        ]  # fmt: skip
        before = [await counters.apply("u", 0, batch) for batch in batches]
        return [*before, await counters.apply("u", 0, []), await counters.apply("other", 0, [])]

    assert [-1, 0, 2, 2, 2, CHUNK + 8, 2**53 - 1, -1] == run(redis_url, use)


def test_a_batch_larger_than_a_script_call(redis_url: str) -> None:
    """Chunks, many keys and many members: Lua's unpack limit must not be met."""

    async def use(counters: Counters) -> Any:
        posts = [post(n, created=-60_000 * (n % 100), PER=f"n{n}") for n in range(3 * CHUNK)]
        await counters.apply("u", 0, posts)
        return (await counters.tallies())["posts"], len((await counters.totals())["PER"])

    assert (3 * CHUNK, 3 * CHUNK) == run(redis_url, use)


def test_offsets_keep_all_their_digits(redis_url: str) -> None:
    """Lua's numbers are doubles and print 14 digits unless told otherwise."""

    async def use(counters: Counters) -> int | None:
        await counters.apply("u", 0, [post(2**53 - 1)])
        return (await counters.marks()).get("u:0")

    assert 2**53 - 1 == run(redis_url, use)


def test_windows_and_times_that_count_in_totals_only(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        await counters.apply(
            "u",
            0,
            [
                post(0, PER="now"),
                post(1, created=-2 * HOUR, PER="earlier"),
                post(2, created=-30 * HOUR, PER="yesterday"),
                post(3, created=+HOUR, PER="future"),
                post(4, created=-500 * 24 * HOUR, PER="ancient"),
            ],
        )
        tops = [
            await counters.top("PER", window, None)
            for window in (3600, 3 * 3600, 48 * 3600, 300 * 86400, None)
        ]
        return [{name for name, _ in top["PER"]} for top in tops]

    recent = {"now", "earlier"}
    expected = [{"now"}, recent, {*recent, "yesterday"}, {*recent, "yesterday"}]
    assert [*expected, {*recent, "yesterday", "future", "ancient"}] == run(redis_url, use)


def test_future_and_over_age_times_make_no_buckets(redis_url: str) -> None:
    async def use(counters: Counters) -> set[str]:
        await counters.apply(
            "u", 0, [post(0, created=HOUR, PER="a"), post(1, created=-500 * 24 * HOUR, PER="b")]
        )
        keys = [key async for key in counters.client.scan_iter(match=f"{counters.root}:*")]
        return {str(key).split(":")[3] for key in keys}

    assert {"total", "marks", "tallies", "seen", "expiring"} == run(redis_url, use)


def test_buckets_expire_after_their_last_write_and_totals_do_not(redis_url: str) -> None:
    async def use(counters: Counters) -> dict[str, int]:
        await counters.apply("u", 0, [post(0, PER="ada")])
        keys = [key async for key in counters.client.scan_iter(match=f"{counters.root}:*")]
        return {str(key).split(":")[3]: await counters.client.ttl(key) for key in keys}

    ttl = run(redis_url, use, keep_minutes=100, keep_hours=10_000, keep_days=1_000_000)
    assert {
        "minute": 100,
        "hour": 10_000,
        "day": 1_000_000,
        "total": -1,
        "marks": -1,
        "tallies": -1,
        "expiring": -1,
    } == {name: seconds for name, seconds in ttl.items() if name != "seen"}


def test_top_orders_limits_and_knows_its_types(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        names = ["a", "b", "b", "c", "c", "c"]
        await counters.apply("u", 0, [post(n, PER=name, LOC="l") for n, name in enumerate(names)])
        return (
            await counters.top(None, None, 2),
            await counters.top("PER", 60, 1),
            await counters.top("ORG", None, 1),
        )

    expected = ({"LOC": [("l", 6)], "PER": [("c", 3), ("b", 2)]}, {"PER": [("c", 3)]}, {"ORG": []})
    assert expected == run(redis_url, use)


def test_the_newest_bucket_of_a_type_and_of_all(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        before = await counters.newest(None)
        first = post(0, created=-30 * HOUR, PER="a")
        second = post(1, created=-2 * HOUR, LOC="b")
        await counters.apply("u", 0, [first, second, post(2, created=-500 * 24 * HOUR, ORG="c")])
        found = [await counters.newest(kind) for kind in (None, "LOC", "PER", "ORG")]
        minute, hour = second.created_at // 60_000 * 60, first.created_at // HOUR * 3600
        return [before, *found], [None, minute, minute, hour, None]

    found, expected = run(redis_url, use)
    assert expected == found


def of_forms(offset: int, *forms: str) -> CountUpdate:
    """A post that mentions Coca-Cola in these forms."""
    now = int(time.time() * 1000)
    return CountUpdate(offset, "s", f"p{offset}", now, now, (("ORG", "cocacola"),) * len(forms), forms)


def test_an_entity_is_shown_in_its_most_frequent_form(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        posts = [of_forms(0, "coca cola"), of_forms(1, "Coca-Cola", "#CocaCola"), of_forms(2, "Coca-Cola")]
        for batch in ([posts[0]], posts, posts[1:]):  # redelivered, and only counted once
            await counters.apply("u", 0, batch)
        first = await counters.most_mentioned("ORG", None, 5)
        await counters.apply("u", 1, [of_forms(n, "#CocaCola", "#CocaCola") for n in range(3, 5)])
        return first["ORG"], (await counters.most_mentioned(None, 3600, 5))["ORG"]

    expected = [("Coca-Cola", "cocacola", 4)], [("#CocaCola", "cocacola", 8)]
    assert expected == run(redis_url, use)


def test_of_forms_seen_equally_often_a_hashtag_is_not_shown(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        await counters.apply("u", 0, [of_forms(0, "@CocaCola", "#CocaCola", "Coca-Cola")])
        return (await counters.most_mentioned("ORG", None, 5))["ORG"][0].text

    assert "Coca-Cola" == run(redis_url, use)


def test_without_a_form_the_key_is_shown(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        await counters.apply("u", 0, [post(0, PER="ann")])
        return await counters.most_mentioned(None, None, 5), await counters.most_mentioned("LOC", None, 5)

    assert ({"PER": [("ann", "ann", 1)]}, {"LOC": []}) == run(redis_url, use)


def test_eight_forms_of_an_entity_are_kept_and_the_frequent_one_is_among_them(redis_url: str) -> None:
    """Memory is bounded, however a feed spells a name; also over batches of several thousand entities."""

    async def use(counters: Counters) -> Any:
        spellings = [f"coca{'-' * n}cola" for n in range(1, 100)]
        posts = [of_forms(n, form, "Coca-Cola") for n, form in enumerate(spellings)]
        for start in range(0, len(posts), 7):
            await counters.apply("u", 0, posts[start : start + 7])
        now = int(time.time() * 1000)
        names = tuple(("ORG", f"n{n}") for n in range(12_000))
        await counters.apply(
            "u", 1, [CountUpdate(0, "s", "many", now, now, names, tuple(name for _, name in names))]
        )
        packed = await counters.client.hget(f"{counters.root}:0:forms:ORG", "cocacola")
        shown = await counters.most_mentioned("ORG", None, 1)
        return packed.count("\n"), shown["ORG"], await counters.client.hlen(f"{counters.root}:0:forms:ORG")

    assert (8, [("Coca-Cola", "cocacola", 198)], 12_001) == run(redis_url, use)


def test_a_window_longer_than_kept_is_refused(redis_url: str) -> None:
    with pytest.raises(TrimodError, match=r"redis\.keep_days"):
        run(redis_url, lambda counters: counters.top(None, 401 * 86400, 1))


def test_without_a_dedup_window_every_post_counts(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        await counters.apply("u", 0, [post(0, "same", PER="a"), post(1, "same", PER="a")])
        return await counters.totals()

    assert {"PER": {"a": 2}} == run(redis_url, use, dedup_window=0)


def test_a_hold_makes_apply_wait(redis_url: str) -> None:
    """A rebuild holds counting for a moment: nothing may be counted into keys that are about to go."""

    async def use(counters: Counters) -> Any:
        await counters.client.set(f"{counters.root}:hold", "x", px=300)
        started = time.monotonic()
        await counters.apply("u", 0, [post(0)])
        return time.monotonic() - started, (await counters.marks()).get("u:0")

    waited, mark = run(redis_url, use)
    assert (True, 0) == (waited > 0.25, mark)


def test_redis_away_is_a_passing_fault_that_names_the_address_and_no_password() -> None:
    async def use() -> None:
        counters = Counters(Redis(url="redis://me:secret@127.0.0.1:1/0"), "app")
        try:
            await counters.apply("u", 0, [post(0)])
        finally:
            await counters.close()

    with pytest.raises(PassingFault, match=r"127\.0\.0\.1:1 ") as caught:
        asyncio.run(use())
    assert "secret" not in str(caught.value)


def test_foreign_data_under_our_keys_will_not_pass_by_waiting(redis_url: str) -> None:
    async def use(counters: Counters) -> None:
        await counters.client.set(f"{counters.root}:0:marks", "not a hash")
        await counters.apply("u", 0, [post(0)])

    with pytest.raises(BrokenWorker, match="WRONGTYPE"):
        run(redis_url, use)
