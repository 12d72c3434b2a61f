"""Workers against a real Kafka and a real Redis: nothing is lost, nothing counted twice, whoever dies when.

What "tagged" means here is a receipt on `posts.tagged`; what is counted is read from Redis itself.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.config.settings import Settings
from stream.local.redis import LocalRedis
from stream.local.stack import free_port
from stream.messages.receipts import Receipt
from tests.support.worker_processes import (
    WorkerProcess,
    committed,
    expected_totals,
    origins_done,
    post,
    read_all,
    receipts,
    redis_totals,
    send,
    wait_until,
    workers,
)

pytestmark = pytest.mark.integration

PLACES = ("Paris", "Rome", "Lagos", "Toronto", "Quito")
BAD: tuple[bytes | None, ...] = (b"no json", None, b'{"id":"x"}', b'{"text":"no id"}')


def mixed_posts(count: int) -> list[bytes | None]:
    """Posts with mentions and without, some sent twice, some that break the model, some that are no posts."""
    posts: list[bytes | None] = []
    for number in range(count):
        text = f"so {PLACES[number % 5]} and 😀 Alice{number % 11}" if number % 6 else "nothing here"
        posts.append(post(number, text + (" BOOM" if number % 97 == 50 else "")))
        if number % 40 == 20:
            posts.append(posts[-1])  # sent twice
        if number % 60 == 30:
            posts.append(BAD[number // 60 % len(BAD)])
    return posts


def all_done(settings: Settings, count: int) -> bool:
    return count <= len(origins_done(settings.kafka))


def check_everything(settings: Settings, sent: Sequence[bytes | None]) -> list[Receipt]:
    """Every post has a receipt or is dead for its reason; totals fit; first receipts are in offset order."""
    kafka = settings.kafka
    assert {(n % kafka.partitions, n // kafka.partitions) for n in range(len(sent))} == origins_done(kafka)
    reasons = {}
    for record in read_all(kafka, kafka.dead_topic):
        headers = {name: value.decode() for name, value in record.headers}
        number = int(headers["offset"]) * kafka.partitions + int(headers["partition"])
        assert (sent[number], f"k{number}".encode()) == (record.value, record.key)
        reasons[number] = headers["error"]
    assert {
        number: "BadPost" if value in BAD else "RuntimeError"
        for number, value in enumerate(sent)
        if value in BAD or b"BOOM" in (value or b"")
    } == reasons
    found = receipts(kafka)
    assert expected_totals(found, settings.redis.dedup_window > 0) == redis_totals(settings)
    offsets = defaultdict(list)
    for receipt in found:
        if receipt.origin.offset not in offsets[receipt.origin.partition]:
            offsets[receipt.origin.partition].append(receipt.origin.offset)
    assert all(sorted(each) == each for each in offsets.values())
    return found


def check_committed(settings: Settings, sent: Sequence[bytes | None]) -> None:
    """After an orderly end everything is committed."""
    partitions = settings.kafka.partitions
    expected = {p: len(range(p, len(sent), partitions)) for p in range(partitions)}
    assert expected == committed(settings.kafka)


def held(worker: WorkerProcess) -> int:
    """Partitions that the worker has."""
    if "/metrics" not in worker.log:
        return 0
    return len(orjson.loads(worker.get("/health"))["partitions"])


def check_metrics(running: Sequence[WorkerProcess], sent: Sequence[bytes | None]) -> None:
    """Both workers tell their state and partitions, and together what became of the posts."""
    health = [orjson.loads(worker.get("/health")) for worker in running]
    assert [("running", "fake", "1")] * 2 == [
        (each["state"], each["model"], each["version"]) for each in health
    ]
    assert list(range(8)) == sorted(number for each in health for number in each["partitions"])
    posts: Counter[tuple[str, str]] = Counter()
    lags = {}
    for worker in running:
        for family in text_string_to_metric_families(worker.get("/metrics")):
            for sample in family.samples:
                if sample.name == "trimod_posts_total":
                    posts[sample.labels["outcome"], sample.labels["error"]] += int(sample.value)
                if sample.name == "trimod_lag":
                    lags[sample.labels["partition"]] = sample.value
    assert sum(value in BAD for value in sent) == posts["dead", "BadPost"]
    assert len(sent) == sum(posts.values())
    assert set("01234567") == set(lags)


def test_two_workers_tag_every_post_once(settings: Settings, tmp_path: Path) -> None:
    """Posts come when both have joined: a rebalance with posts in work may make some be tagged twice."""
    sent = mixed_posts(500)
    with workers(settings, tmp_path, 0.01, 0.01) as running:
        wait_until(lambda: [4, 4] == [held(worker) for worker in running], 30, "both have their share")
        send(settings.kafka, sent)
        wait_until(lambda: all_done(settings, len(sent)), 40, "all posts done")
        found = check_everything(settings, sent)
        dead = read_all(settings.kafka, settings.kafka.dead_topic)
        assert len(sent) == len(found) + len(dead)  # with every post among them: each exactly once
        check_metrics(running, sent)
        assert all(worker.stop() < 10 for worker in running)
        assert not any("not to be trusted" in worker.log for worker in running)
    check_committed(settings, sent)


def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(settings: Settings, tmp_path: Path) -> None:
    """Without a dedup window: only the marks keep what is tagged again from being counted again. The one that is
    killed is so slow that it has posts in work then, however busy the machine is."""
    settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"dedup_window": 0.0})})
    sent = mixed_posts(500)
    slow = settings.model_copy(update={"worker": settings.worker.model_copy(update={"max_batch_tokens": 32})})
    with workers(slow, tmp_path, 1.0, 0.05) as running:
        wait_until(lambda: [4, 4] == [held(worker) for worker in running], 40, "both have their share")
        send(settings.kafka, sent)
        wait_until(lambda: len(origins_done(settings.kafka)) > 60, 40, "work has begun")
        running[0].kill()
        done = len(origins_done(settings.kafka))
        assert done < len(sent), "killed too late to show anything"
        running.append(WorkerProcess(settings, tmp_path))
        wait_until(lambda: all_done(settings, len(sent)), 40, "all posts done")
        check_everything(settings, sent)
        wait_until(lambda: "assigned" in running[2].log, 30, "the third has started, late on a busy machine")
        assert all(worker.stop() < 10 for worker in running[1:])
    check_committed(settings, sent)


def test_what_is_committed_never_passes_an_unprocessed_post(settings: Settings, tmp_path: Path) -> None:
    """Looked at all the time, while a second worker joins in the middle of slow work and the first leaves. Posts
    are sent until it has left, so that there is work however late the others start on a busy machine."""
    kafka = settings.kafka
    small = settings.model_copy(
        update={"worker": settings.worker.model_copy(update={"max_batch_tokens": 32})}
    )
    sent: list[bytes] = []
    feeding, looks = True, 0

    def look() -> bool:
        nonlocal looks
        offsets = committed(kafka)  # first: what is done may only have grown since
        done = origins_done(kafka)
        for partition, offset in offsets.items():
            missing = [each for each in range(offset) if (partition, each) not in done]
            assert not missing, f"partition {partition} is committed to {offset}, {missing} are not done"
        looks += 1
        if feeding and len(sent) < len(done) + 400:  # of which two workers do 40 in a second
            more = [post(number, f"in {PLACES[number % 5]}") for number in range(len(sent), len(done) + 400)]
            send(kafka, more, len(sent))
            sent.extend(more)
        return False

    with workers(small, tmp_path, 0.4) as running:
        wait_until(lambda: look() or sum(committed(kafka).values()) > 50, 30, "work has begun")
        running.append(WorkerProcess(small, tmp_path, 0.4))
        wait_until(lambda: look() or "assigned" in running[1].log, 30, "the second has joined")
        before = time.monotonic()
        while time.monotonic() < before + 2:
            look()
        feeding = False
        assert not all_done(settings, len(sent)), "too fast to show anything"
        assert running[0].stop() < 10
        running.append(WorkerProcess(settings, tmp_path))
        wait_until(lambda: look() or all_done(settings, len(sent)), 60, "all posts done")
        wait_until(lambda: look() or "assigned" in running[2].log, 30, "the third has joined")
        assert all(worker.stop() < 10 for worker in running[1:])
        look()
    assert looks > 10
    check_committed(settings, sent)
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_redis_away_for_a_while_loses_and_doubles_nothing(settings: Settings, tmp_path: Path) -> None:
    server = LocalRedis(tmp_path / "redis", free_port())
    server.start()
    settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": server.url})})
    try:
        sent = mixed_posts(300)
        with workers(settings, tmp_path, 0.0) as running:
            send(settings.kafka, sent[:100])
            wait_until(lambda: sum(committed(settings.kafka).values()) == 100, 30, "the first are counted")
            server.stop()
            send(settings.kafka, sent[100:], first=100)
            wait_until(lambda: "is away" in running[0].log, 20, "the fault is named")
            time.sleep(2)
            assert 100 == sum(committed(settings.kafka).values())  # what is not counted is not committed
            server.start()
            wait_until(
                lambda: sum(committed(settings.kafka).values()) == len(sent), 30, "the rest is counted"
            )
            check_everything(settings, sent)
            assert running[0].stop() < 10
    finally:
        server.stop()
