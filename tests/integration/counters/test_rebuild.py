"""`counters rebuild` on real Kafka and Redis: exact, while workers go on, also after Redis lost everything."""

import asyncio
import random
import time
from collections import Counter
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from models.core.errors import TrimodError
from stream.config.settings import Settings
from stream.consumer.counter_audit import CounterAudit
from stream.counters.integrity import CounterIntegrity
from stream.counters.rebuild import rebuild
from stream.counters.store import OLDER, Counters, CountUpdate
from stream.kafka.reader import open_topic
from stream.kafka.sender import open_sender
from stream.kafka.topics import admin_client, topic_uuid
from stream.messages.base import encode
from stream.messages.receipts import Origin, Receipt, ReceiptMention
from stream.runtime.retry import Backoff
from tests.support.commands import trimod

pytestmark = pytest.mark.integration

PARTITIONS = 3


def make_receipts(count: int, topic_id: str = "uuid") -> list[Receipt]:
    """Receipts over some partitions, every seventh the repeat of an earlier post, with seeded mentions."""
    rng = random.Random(7)
    now = int(time.time() * 1000) - 3_600_000
    offsets: Counter[int] = Counter()
    receipts = []
    for number in range(count):
        post_id = f"p{number - 3 if number % 7 == 3 else number}"
        partition = int(post_id[1:]) % PARTITIONS  # by key, as a producer does
        mentions = tuple(
            ReceiptMention(
                event_id=f"{number}", type=rng.choice(["PER", "LOC"]), canonical=f"n{rng.randrange(40)}"
            )
            for _ in range(rng.randrange(3))
        )
        origin = Origin(topic="posts", topic_id=topic_id, partition=partition, offset=offsets[partition])
        offsets[partition] += 1
        receipts.append(
            Receipt(
                source="s",
                post_id=post_id,
                origin=origin,
                model_version="v",
                created_at=now - rng.randrange(5_000_000),
                tagged_at=now + number,
                mentions=mentions,
                reason=None if mentions or number % 2 else "language",
            )
        )
    return receipts


def expected(receipts: list[Receipt]) -> tuple[dict[str, dict[str, int]], int]:
    """(totals, posts) by definition: the mentions of the first receipt of each distinct post."""
    first: dict[str, Receipt] = {}
    for receipt in receipts:
        first.setdefault(receipt.post_id, receipt)
    totals: dict[str, Counter[str]] = {}
    for receipt in first.values():
        for mention in receipt.mentions:
            totals.setdefault(mention.type, Counter())[mention.canonical] += 1
    return {kind: dict(counts) for kind, counts in totals.items()}, len(first)


def publish(settings: Settings, receipts: list[Receipt]) -> None:
    """As workers of the group do: keyed by the origin, so that a partition's receipts stay in order."""
    with open_sender(settings.kafka) as sender:
        for receipt in receipts:
            key = f"{receipt.origin.topic}:{receipt.origin.partition}".encode()
            ours = receipt.model_copy(update={"group": settings.kafka.group})
            sender.send(receipt.post_id, settings.kafka.tagged_topic, encode(ours), key)
        sender.finish()
    assert [] == sender.failures


async def count(counters: Counters, receipts: list[Receipt]) -> None:
    for receipt in receipts:
        await counters.apply(receipt.origin.topic_id, receipt.origin.partition, [CountUpdate.of(receipt)])


async def state(counters: Counters) -> tuple[dict[str, dict[str, int]], int]:
    return await counters.totals(), (await counters.tallies()).get("posts", 0)


def run(settings: Settings, use: Any) -> Any:
    async def main() -> Any:
        counters = Counters(settings.redis, settings.kafka.group)
        try:
            return await use(counters)
        finally:
            await counters.close()

    return asyncio.run(main())


async def lose_everything(counters: Counters) -> None:
    async for key in counters.client.scan_iter(match=f"{counters.root}:*"):
        await counters.client.delete(key)


def test_rebuilt_after_loss_while_a_worker_goes_on(settings: Settings) -> None:
    """A third is counted and lost, a third counted on what is left, a third counted while the rebuild runs."""
    receipts = make_receipts(6000)
    third = len(receipts) // 3
    publish(settings, receipts[: 2 * third])

    async def work(counters: Counters) -> None:
        for start in range(2 * third, len(receipts), 50):
            batch = receipts[start : start + 50]
            await asyncio.to_thread(publish, settings, batch)  # published, confirmed, then counted
            await count(counters, batch)

    async def use(counters: Counters) -> Any:
        await count(counters, receipts[:third])
        await lose_everything(counters)
        await count(counters, receipts[third : 2 * third])
        worker = asyncio.create_task(work(counters))
        done = await asyncio.to_thread(lambda: asyncio.run(rebuild(settings)))
        during = worker.done()
        await worker
        keys = {
            str(key).split(":")[2] async for key in counters.client.scan_iter(match=f"{counters.root}:*:*")
        }
        return await state(counters), done.unreadable, during, keys == {await counters.generation()}

    result, unreadable, finished_before, swept = run(settings, use)
    assert (expected(receipts), 0, False, True) == (result, unreadable, finished_before, swept)


def test_rebuilding_sound_counters_changes_nothing(settings: Settings) -> None:
    """Also the buckets by time: the same script decides by the same times."""
    receipts = make_receipts(500)
    publish(settings, [*receipts, *receipts[-20:]])  # the last ones once more, as after a crash

    async def use(counters: Counters) -> Any:
        await count(counters, receipts)
        before = await state(counters), await counters.top(None, 7200, None), await counters.marks()
        await rebuild(settings)
        return before, (await state(counters), await counters.top(None, 7200, None), await counters.marks())

    before, after = run(settings, use)
    assert before == after
    assert expected(receipts) == after[0]


def test_a_topic_made_anew_keeps_the_counts_of_the_old_one(settings: Settings) -> None:
    old, new = make_receipts(100, "old"), make_receipts(100, "new")
    new = [receipt.model_copy(update={"post_id": f"new-{receipt.post_id}"}) for receipt in new]
    publish(settings, [*old, *new])

    async def use(counters: Counters) -> Any:
        await rebuild(settings)
        return await state(counters)

    assert expected([*old, *new]) == run(settings, use)


def test_offsets_whose_receipts_are_gone_are_not_counted_again(settings: Settings) -> None:
    """Receipts have a retention; the mark stays, so that a redelivered post does not count twice."""
    receipts = make_receipts(10)

    async def use(counters: Counters) -> Any:
        await count(counters, receipts)
        marks = await counters.marks()
        await rebuild(settings)
        return marks, await counters.marks(), await counters.totals()

    marks, after, totals = run(settings, use)
    assert (marks, {}) == (after, totals)


def test_a_rebuild_that_would_lose_counts_is_refused(settings: Settings) -> None:
    """Receipts whose topic has a retention, as Kafka's default is: what is counted must not be replaced by
    what happens to be kept, unless one says so."""
    receipts = make_receipts(30)
    publish(settings, receipts)
    with (
        admin_client(settings.kafka) as admin,
        open_topic(settings.kafka, settings.kafka.tagged_topic) as reader,
    ):
        ends = reader.ends()
        admin.delete_records({part: end for part, end in ends.items() if end})

    async def use(counters: Counters) -> Any:
        await count(counters, receipts)
        with pytest.raises(TrimodError, match="--incomplete"):
            await rebuild(settings)
        refused = await state(counters), await counters.client.exists(f"{counters.root}:rebuild")
        done = await rebuild(settings, incomplete=True)
        return refused, done.incomplete, await counters.totals()

    assert ((expected(receipts), 0), True, {}) == run(settings, use)


def test_marks_pass_the_dead_posts_that_are_committed(settings: Settings) -> None:
    """They have no receipt. A mark below what is committed looks like lost counts, which a rebuild is to cure."""
    kafka = settings.kafka
    topic_id = topic_uuid(kafka, kafka.posts_topic)
    receipts = make_receipts(30, topic_id)
    publish(settings, receipts)
    places = {TopicPartition(kafka.posts_topic, number): OffsetAndMetadata(12, "", -1) for number in (1, 7)}
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.group)
    consumer.commit(places)
    consumer.close(autocommit=False)

    async def use(counters: Counters) -> dict[str, int]:
        await rebuild(settings)
        return await counters.marks()

    last = {f"{r.origin.topic_id}:{r.origin.partition}": r.origin.offset for r in receipts}
    assert {**last, f"{topic_id}:1": 11, f"{topic_id}:7": 11} == run(settings, use)


LEAFS = ("toronto maple leafs", "st. louis", "at&amp;t", "torontomapleleafs")
"""Canonical forms before schema 3."""


def test_receipts_of_older_schemas_are_rebuilt_under_keys(settings: Settings) -> None:
    """Their canonical forms have words and punctuation, and are shown where no newer form is more frequent."""
    old, new = make_receipts(2)
    mentions = tuple(ReceiptMention(event_id="1", type="ORG", canonical=form) for form in LEAFS)
    keyed = ReceiptMention(
        event_id="2", type="ORG", canonical="torontomapleleafs", text="Toronto Maple\nLeafs"
    )
    publish(
        settings,
        [
            old.model_copy(update={"schema_": 2, "mentions": mentions}),
            new.model_copy(update={"mentions": (keyed, keyed)}),
        ],
    )

    async def use(counters: Counters) -> Any:
        await rebuild(settings)
        return await counters.most_mentioned("ORG", None, None)

    expected_rows = [
        ("Toronto Maple Leafs", "torontomapleleafs", 4),
        ("st. louis", "stlouis", 1),
        ("AT&T".lower(), "att", 1),
    ]
    assert expected_rows == run(settings, use)["ORG"]


def test_counters_of_an_older_version_are_reported_until_a_rebuild_replaces_them(settings: Settings) -> None:
    """After an upgrade, and if a worker of the older version still counts. Nothing is counted into them."""
    receipts = make_receipts(30)
    publish(settings, receipts)
    written = {"marks": {"uuid:0": "9"}, "tallies": {"posts": "10"}}

    async def use(counters: Counters) -> Any:
        integrity = CounterIntegrity(counters)
        audit = CounterAudit({}, counters, integrity, Backoff())
        for name, fields in written.items():
            await counters.client.hset(f"{counters.group_root}:0:{name}", mapping=fields)
        await counters.client.set(f"{counters.group_root}:labels", "[]")
        await audit.check([], [])
        reasons = [integrity.lost]
        await count(counters, receipts[:10])
        reasons.append((await counters.distrusted())[1])
        warned = trimod(settings, "top")[2]
        kept = {name: await counters.client.hgetall(f"{counters.group_root}:0:{name}") for name in written}
        await rebuild(settings)
        await audit._compare()
        reasons.append(integrity.lost)
        left = {str(key) async for key in counters.client.scan_iter(match=f"{counters.group_root}:*")}
        reasons.append(trimod(settings, "top")[2])
        await counters.client.hset(f"{counters.group_root}:0:marks", "uuid:0", "9")
        await audit._compare()
        return [*reasons, integrity.lost], OLDER in warned, kept, left, await state(counters)

    reasons, warned, kept, left, result = run(settings, use)
    assert [OLDER, OLDER, "", "", OLDER] == reasons
    assert (True, written) == (warned, kept)
    assert (1, expected(receipts)) == (len(left), result)


def test_losing_redis_during_a_rebuild_is_noticed(settings: Settings) -> None:
    """Its half-filled keys must not become the counters."""
    publish(settings, make_receipts(100))

    async def use(counters: Counters) -> None:
        loop = asyncio.get_running_loop()

        def lose(read: int, total: int) -> None:
            asyncio.run_coroutine_threadsafe(lose_everything(counters), loop).result()

        await asyncio.to_thread(lambda: asyncio.run(rebuild(settings, lose)))

    with pytest.raises(TrimodError, match="nothing was switched"):
        run(settings, use)


def test_a_hold_that_runs_out_is_noticed(settings: Settings) -> None:
    """What a worker counts between the last receipt read and the switch must not be lost with the old keys."""
    receipts = make_receipts(40)
    publish(settings, receipts[:30])
    calls: list[bool] = []

    async def use(counters: Counters) -> Any:
        loop = asyncio.get_running_loop()
        await count(counters, receipts[:30])

        async def overrun() -> None:
            held = bool(await counters.client.delete(f"{counters.root}:hold"))
            calls.append(held)
            if held and calls.count(True) == 1:  # all receipts are read, the switch comes next
                publish(settings, receipts[30:])
                await count(counters, receipts[30:])

        def progress(read: int, total: int) -> None:
            asyncio.run_coroutine_threadsafe(overrun(), loop).result()

        await asyncio.to_thread(lambda: asyncio.run(rebuild(settings, progress)))
        return await state(counters)

    assert (expected(receipts), 2) == (run(settings, use), calls.count(True))


def test_only_one_rebuild_at_a_time(settings: Settings) -> None:
    async def use(counters: Counters) -> None:
        await counters.client.set(f"{counters.root}:rebuild", "another", px=10_000)
        await rebuild(settings)

    with pytest.raises(TrimodError, match="another"):
        run(settings, use)
