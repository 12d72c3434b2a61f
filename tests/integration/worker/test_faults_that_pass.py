"""Faults that pass, and workers that must not linger: stopped and continued, hung, refused by a topic, robbed.

What Redis away does is in test_worker.py; counts that Redis lost, in test_worker_odd_logs.py.
"""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from stream.config.settings import Settings
from stream.counters.rebuild import rebuild
from stream.counters.store import Counters
from stream.kafka.topics import admin_client, ensure_topics
from stream.local.stack import LocalKafka, free_port
from tests.support.running_stack import health, one_partition, own_redis, ready, set_limit, steady_posts
from tests.support.worker_processes import (
    LONG,
    WorkerProcess,
    committed,
    expected_totals,
    post,
    read_all,
    receipts,
    redis_totals,
    send,
    wait_until,
    workers,
)

pytestmark = pytest.mark.integration


def test_a_worker_that_was_stopped_for_longer_than_its_session_comes_back(
    settings: Settings, tmp_path: Path
) -> None:
    """Its posts are tagged by the other meanwhile, and counted once; then it has its share again."""
    kafka = settings.kafka
    with workers(settings, tmp_path, 0.05, 0.05) as running:
        wait_until(lambda: all(map(ready, running)), LONG, "both are ready")
        send(kafka, [post(n, f"in Rome{n}") for n in range(80)])
        os.kill(running[0].pid, signal.SIGSTOP)
        try:
            wait_until(lambda: len(health(running[1])["partitions"]) == 8, LONG, "the other has taken over")
            send(kafka, [post(n, f"in Rome{n}") for n in range(80, 160)], 80)
            wait_until(lambda: sum(committed(kafka).values()) == 160, LONG, "all is committed without it")
        finally:
            os.kill(running[0].pid, signal.SIGCONT)
        wait_until(
            lambda: not running[0].running or len(health(running[0])["partitions"]) == 4,
            LONG, "it is back, or gone",
        )  # fmt: skip
        send(kafka, [post(n, f"in Rome{n}") for n in range(160, 200)], 160)
        wait_until(lambda: sum(committed(kafka).values()) == 200, LONG, "the rest is committed")
        assert all(worker.stop() < 10 for worker in running if worker.running)
    found = receipts(kafka)
    assert {f"p{n}" for n in range(200)} == {receipt.post_id for receipt in found}
    assert expected_totals(found) == redis_totals(settings)


def test_sigterm_ends_a_worker_in_time_even_with_a_post_that_hangs(
    settings: Settings, tmp_path: Path, faults: Path
) -> None:
    """What was counted is committed; the rest is left to the next."""
    faults.write_text("inferring hang text=HANGER\n")
    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        send(kafka, [post(n, "Rome") for n in range(40)])
        wait_until(lambda: len(receipts(kafka)) == 40, LONG, "these are tagged")
        send(kafka, [post(n, "HANGER") for n in range(40, 48)], 40)
        wait_until(lambda: 'stage="work"} 0.0' not in running[0].get("/metrics"), LONG, "these are in work")
        assert running[0].stop() < 10.5  # 10, and a process that is scheduled late
    assert 40 == sum(committed(kafka).values())


def test_a_dead_letter_topic_that_refuses_holds_up_its_partition_alone(
    settings: Settings, tmp_path: Path
) -> None:
    """The post is not lost and the worker lives; /health says what it waits for, until the limit is raised."""
    kafka = settings.kafka
    set_limit(kafka, kafka.dead_topic, 10_000)
    bad = b"no post" * 10_000
    with workers(settings, tmp_path, 0.0) as running:
        send(kafka, [post(0, "Rome"), bad, *(post(n, "Rome") for n in range(2, 17))])
        wait_until(
            lambda: "max.message.bytes" in str(health(running[0]).get("waiting")), LONG, "the fault is named"
        )
        wait_until(lambda: sum(committed(kafka).values()) == 15, LONG, "other partitions go on")
        assert 1 not in committed(kafka)
        assert health(running[0])["live"]
        set_limit(kafka, kafka.dead_topic, 9 * 2**20)
        wait_until(lambda: sum(committed(kafka).values()) == 17, LONG, "the rest is done")
        assert {} == health(running[0])["waiting"]
        assert running[0].stop() < 10
    (dead,) = read_all(kafka, kafka.dead_topic)
    assert bad == dead.value


def queued(worker: WorkerProcess, stage: str) -> float:
    """Posts that wait in this stage, as /metrics says."""
    families = text_string_to_metric_families(worker.get("/metrics"))
    samples = [each for family in families for each in family.samples if each.name == "trimod_queue_depth"]
    return next(each.value for each in samples if each.labels["stage"] == stage)


def test_a_partition_that_is_full_holds_up_no_other(settings: Settings, tmp_path: Path) -> None:
    """Behind a refused dead letter come more posts than a partition may have in work (512): its fetching is paused,
    and what is sent to the others long after is tagged at once."""
    kafka = settings.kafka
    set_limit(kafka, kafka.dead_topic, 10_000)
    with workers(settings, tmp_path, 0.0) as running:
        stuck = [post(n, "Oslo", filler="x" * 2000) for n in range(3000)]
        send(kafka, [b"no post" * 10_000, *stuck], partition=1)
        wait_until(lambda: ready(running[0]), LONG, "it is ready")
        wait_until(lambda: queued(running[0], "intake") > 0, LONG, "the partition is full")
        wait_until(lambda: "max.message.bytes" in str(health(running[0])["waiting"]), LONG, "it is named")
        for first in (10_000, 20_000):
            send(kafka, [post(n, "Rome") for n in range(first, first + 210)], partition=5)
            done = 210 * first // 10_000
            wait_until(lambda: committed(kafka).get(5) == done, LONG, "others go on")  # noqa: B023
        assert (512.0, False) == (queued(running[0], "work"), 1 in committed(kafka))
        assert queued(running[0], "intake") < 1500  # what was fetched before the pause, and not the whole log
        set_limit(kafka, kafka.dead_topic, 9 * 2**20)
        wait_until(lambda: committed(kafka).get(1) == 3001, LONG, "the rest is done")
        assert running[0].stop() < 10
    offsets = [receipt.origin.offset for receipt in receipts(kafka) if receipt.origin.partition == 1]
    assert list(range(1, 3001)) == offsets  # each once, in order
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_a_receipt_too_large_for_its_topic_costs_its_post_alone(settings: Settings, tmp_path: Path) -> None:
    """Twenty thousand mentions, and a topic that takes little more than the worker's own batches."""
    kafka = settings.kafka
    set_limit(kafka, kafka.tagged_topic, 300_000)
    one = one_partition(kafka)
    with workers(settings, tmp_path, 0.0) as running:
        send(one, [post(0, "Rome"), post(1, "Oslo " * 19_000), post(2, "Rome")])
        wait_until(lambda: committed(kafka).get(0) == 3, LONG, "all is committed")
        assert running[0].stop() < 10
    (dead,) = read_all(kafka, kafka.dead_topic)
    assert (b"1", b"RecordTooLarge") == (dict(dead.headers)["offset"], dict(dead.headers)["error"])
    assert {"p0", "p2"} == {receipt.post_id for receipt in receipts(kafka)}
    assert {"PER": {"rome": 2}} == redis_totals(settings)


def test_counts_that_an_idle_worker_lost_are_noticed_and_said_by_all(
    settings: Settings, tmp_path: Path
) -> None:
    """Redis from an older state: nothing comes that would be counted, and still they say so; a rebuild heals it."""

    async def lose() -> None:
        counters = Counters(settings.redis, settings.kafka.group)
        marks = f"{counters.root}:0:marks"
        fields = await counters.client.hkeys(marks)
        await counters.client.hset(marks, mapping=dict.fromkeys(fields, 0))
        await counters.close()

    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        send(one_partition(kafka), [post(n, "Rome") for n in range(5)])
        wait_until(lambda: committed(kafka).get(0) == 5, LONG, "all is committed")
        asyncio.run(lose())
        wait_until(lambda: health(running[0])["counters"] != "trusted", LONG, "it is noticed")
        assert f'trimod_counters_trusted{{group="{kafka.group}"}} 0.0' in running[0].get("/metrics")
        assert "trimod counters rebuild" in running[0].log
        running.append(WorkerProcess(settings, tmp_path))
        wait_until(
            lambda: health(running[1]).get("counters", "trusted") != "trusted", LONG, "so says the next"
        )
        asyncio.run(rebuild(settings))
        wait_until(
            lambda: all(health(worker)["counters"] == "trusted" for worker in running), LONG, "it is mended"
        )
        assert all(worker.stop() < 10 for worker in running)
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


@pytest.mark.parametrize("older", [False, True])
def test_redis_restarted_with_less_is_noticed_and_rebuilt_while_posts_come(
    settings: Settings, tmp_path: Path, older: bool
) -> None:
    """Empty, or from the files of some time ago: both workers say so, and one command makes the counts exact."""
    kafka = settings.kafka
    with (
        own_redis(settings, tmp_path) as (server, settings),
        workers(settings, tmp_path, 0.0, 0.0) as running,
    ):
        with steady_posts(settings) as sent:
            wait_until(lambda: sum(committed(kafka).values()) > 100, LONG, "some are counted")
            server.stop()
            shutil.copytree(server.directory, tmp_path / "saved")
            server.start()
            then = sent[0]
            wait_until(lambda: sum(committed(kafka).values()) > then, LONG, "more are counted")
            server.stop()
            shutil.rmtree(server.directory)
            if older:
                shutil.copytree(tmp_path / "saved", server.directory)
            server.start()
            wait_until(
                lambda: all(health(worker)["counters"] != "trusted" for worker in running), LONG, "all say so"
            )
            asyncio.run(rebuild(settings))
            wait_until(
                lambda: all(health(worker)["counters"] == "trusted" for worker in running),
                LONG,
                "it is mended",
            )
        wait_until(lambda: sum(committed(kafka).values()) == sent[0], LONG, "all is committed")
        assert all(worker.stop() < 10 for worker in running)
        found = receipts(kafka)
        assert {f"p{n}" for n in range(sent[0])} == {receipt.post_id for receipt in found}
        assert expected_totals(found) == redis_totals(settings)


def test_a_redis_that_is_full_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    """Its memory, that is; nothing is committed meanwhile, and with more memory all goes on by itself."""
    kafka = settings.kafka
    with own_redis(settings, tmp_path) as (server, settings), workers(settings, tmp_path, 0.0) as running:
        send(kafka, [post(n, "Rome") for n in range(40)])
        wait_until(lambda: sum(committed(kafka).values()) == 40, LONG, "these are counted")
        with redis.Redis(port=server.port) as client:
            client.config_set("maxmemory", 1)
            send(kafka, [post(n, "Oslo") for n in range(40, 80)], 40)
            wait_until(lambda: "maxmemory" in str(health(running[0])["waiting"]), LONG, "the fault is named")
            assert (40, True) == (sum(committed(kafka).values()), health(running[0])["live"])
            client.config_set("maxmemory", 0)
        wait_until(lambda: sum(committed(kafka).values()) == 80, LONG, "the rest is counted")
        assert running[0].stop() < 10
        assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_the_broker_away_for_a_while_loses_and_doubles_nothing(settings: Settings, tmp_path: Path) -> None:
    """Killed with posts in work and started again on the same data: the same worker goes on, by itself."""
    server = LocalKafka(tmp_path / "kafka", free_port(consecutive=2), heap="256m")
    server.start()
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": server.bootstrap_servers})
    slow = {"max_batch_tokens": 32}  # ten seconds of work: it must not be done before the broker is killed
    own = settings.worker.model_copy(update={"stall_limit": 20.0, **slow})
    settings = settings.model_copy(update={"kafka": kafka, "worker": own})
    try:
        ensure_topics(kafka)
        with workers(settings, tmp_path, 0.2) as running:
            wait_until(lambda: ready(running[0]), LONG, "it is ready")
            sent = 400
            send(kafka, [post(n, f"in Rome{n}") for n in range(sent)])
            wait_until(lambda: sum(committed(kafka).values()) > 0, LONG, "work has begun")
            server.child.kill()
            wait_until(lambda: bool(health(running[0])["waiting"]), LONG, "the fault is named")
            server.start()
            wait_until(lambda: sum(committed(kafka).values()) == sent, LONG, "all is committed")
            assert running[0].stop() < 10
        found = receipts(kafka)
        assert {f"p{n}" for n in range(sent)} == {receipt.post_id for receipt in found}
        assert expected_totals(found) == redis_totals(settings)
    finally:
        server.stop()


def test_a_topic_that_is_made_anew_is_read_from_its_beginning(settings: Settings, tmp_path: Path) -> None:
    """The worker ends for its supervisor; the next takes no offset of the old topic for one of the new."""
    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        send(kafka, [post(n, "Rome") for n in range(80)])
        wait_until(lambda: sum(committed(kafka).values()) == 80, LONG, "the old one is read")
        with admin_client(kafka) as admin:
            admin.delete_topics([kafka.posts_topic])
        ensure_topics(kafka)
        send(kafka, [post(n, "Oslo") for n in range(100, 140)])
        wait_until(lambda: not running[0].running or len(receipts(kafka)) == 120, LONG, "it ends, or goes on")
        if not running[0].running:
            running.append(WorkerProcess(settings, tmp_path))
            wait_until(lambda: len({r.post_id for r in receipts(kafka)}) == 120, LONG, "the new one is read")
        assert running[-1].stop() < 10
    assert {*range(80), *range(100, 140)} == {int(receipt.post_id[1:]) for receipt in receipts(kafka)}


def test_a_worker_whose_loop_hangs_ends_and_the_next_goes_on(
    settings: Settings, tmp_path: Path, faults: Path
) -> None:
    """Its consumer's thread would heartbeat on for ever: a zombie with partitions."""
    faults.write_text("counting hang nth=1\n")
    own = settings.worker.model_copy(update={"hang_limit": 2.0})
    settings = settings.model_copy(update={"worker": own})
    kafka = settings.kafka
    send(kafka, [post(n, f"in Rome{n}") for n in range(16)])
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: not running[0].running, LONG, "it ends")
        assert (1, True) == (running[0].exit_code, "does not turn" in running[0].log)
        faults.unlink()
        running.append(WorkerProcess(settings, tmp_path))
        wait_until(lambda: sum(committed(kafka).values()) == 16, LONG, "all is committed")
        assert running[1].stop() < 10
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_a_stretch_of_poison_posts_is_gone_through(settings: Settings, tmp_path: Path) -> None:
    """Each costs some passes of its own: what is known of a batch must be committed before its end."""
    own = settings.worker.model_copy(update={"stall_limit": 5.0})
    settings = settings.model_copy(update={"worker": own})
    kafka = settings.kafka
    one = kafka.model_copy(update={"partitions": 1})
    send(one, [post(n, "BOOM") for n in range(120)])
    with workers(settings, tmp_path, 0.05) as running:
        wait_until(lambda: committed(kafka).get(0) == 120 or not running[0].running, LONG, "all are dead")
        assert running[0].running, running[0].log[-300:]
        assert running[0].stop() < 10
    assert 120 == len(read_all(kafka, kafka.dead_topic))
