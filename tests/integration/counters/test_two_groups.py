"""Two groups on the same topics keep their counts apart, and a worker of other entity types joins neither.

The second group is a second model beside the first: its events and receipts are on the same topics.
"""

import asyncio
from pathlib import Path

import orjson
import pytest
import redis

from stream.config.settings import Settings
from stream.counters.rebuild import rebuild
from stream.kafka.sender import open_sender
from stream.messages.receipts import DEFAULT_GROUP
from tests.support.commands import trimod
from tests.support.running_stack import health, own_redis, ready
from tests.support.tiny_checkpoint import tiny_checkpoint
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

OTHERS = ("BRAND", "DRUG")


def of_group(settings: Settings, group: str) -> Settings:
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"group": group})})


def test_a_rebuild_counts_the_receipts_of_its_own_group(settings: Settings, tmp_path: Path) -> None:
    """One group has read all posts, the other begins when half of them are gone."""
    first, second = settings, of_group(settings, f"{settings.kafka.group}-second")
    kafka = settings.kafka
    with workers(first, tmp_path, 0.0) as running:
        send(kafka, [post(n, f"in Rome{n % 3}") for n in range(40)])
        wait_until(lambda: sum(committed(kafka).values()) == 40, LONG, "the first has them all")
        running.append(WorkerProcess(second, tmp_path))
        wait_until(lambda: sum(committed(second.kafka).values()) == 40, LONG, "the second has them all")
        running[1].stop()
        send(kafka, [post(n, "in Oslo") for n in range(40, 60)], 40)
        wait_until(lambda: sum(committed(kafka).values()) == 60, LONG, "the first has more")
        running[0].stop()
    for each in (first, second):
        before, own = redis_totals(each), [r for r in receipts(kafka) if r.group == each.kafka.group]
        assert before == expected_totals(own)
        done = asyncio.run(rebuild(each))
        assert (len(own), before) == (done.receipts, redis_totals(each))
    assert {60: 40, 40: 60}[done.receipts] == done.others


def test_receipts_that_name_no_group_are_the_default_groups(settings: Settings, tmp_path: Path) -> None:
    """They were written before receipts said it."""
    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        send(kafka, [post(n, "in Rome") for n in range(8)])
        wait_until(lambda: sum(committed(kafka).values()) == 8, LONG, "all is committed")
        running[0].stop()
    old = [orjson.loads(record.value) for record in read_all(kafka, kafka.tagged_topic)]
    with open_sender(kafka) as sender:
        for number, receipt in enumerate(old):
            del receipt["group"]
            receipt |= {"schema": 1, "post_id": f"old{number}"}
            sender.send("receipt", kafka.tagged_topic, orjson.dumps(receipt), b"key")
        sender.finish()
    default = of_group(settings, DEFAULT_GROUP)
    assert (8, 8) == ((done := asyncio.run(rebuild(settings))).receipts, done.others)
    assert (8, 8) == ((done := asyncio.run(rebuild(default))).receipts, done.others)
    assert redis_totals(settings) == redis_totals(default) == {"PER": {"rome": 8}}


def test_a_worker_of_other_types_cannot_join_until_the_group_is_told(
    settings: Settings, tmp_path: Path
) -> None:
    kafka, group = settings.kafka, settings.kafka.group
    checkpoint = tiny_checkpoint(tmp_path / "other", types=OTHERS)
    with workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: ready(running[0]), LONG, "the first is ready")
        running.append(WorkerProcess(settings, tmp_path, 0.0, *OTHERS))
        wait_until(lambda: not running[1].running, LONG, "the second has ended")
        assert 2 == running[1].exit_code
        last = running[1].log.splitlines()[-1]
        assert (
            f"trimod: group {group} emits LOC, MISC, ORG, PER, but this checkpoint emits BRAND, DRUG" in last
        )
        assert list(range(8)) == health(running[0])["partitions"]
        code, _, stderr = trimod(settings, "group", "relabel", str(checkpoint))
        assert (1, True) == (code, "has 1 member: stop its workers first" in stderr)
        running[0].stop()
    code, said, _ = trimod(settings, "group", "relabel", str(checkpoint))
    assert (0, f"group {group} emits BRAND, DRUG (before: LOC, MISC, ORG, PER)\n") == (code, said)
    assert "types    BRAND, DRUG\n" in trimod(settings, "group", "show")[1]
    with workers(settings, tmp_path) as running:  # none yet
        running.append(WorkerProcess(settings, tmp_path, 0.0, *OTHERS))
        wait_until(lambda: ready(running[0]), LONG, "now it is ready")
        running.append(WorkerProcess(settings, tmp_path, 0.0))
        wait_until(lambda: not running[1].running, LONG, "one of the old types has ended")
        assert (2, 0) == (running[1].exit_code, len(read_all(kafka, kafka.tagged_topic)))
        assert running[0].stop() < 10


def test_types_that_redis_lost_are_written_down_again(settings: Settings, tmp_path: Path) -> None:
    """An emptied Redis must not let others in: the workers that run say what the group emits."""
    with own_redis(settings, tmp_path) as (server, settings), workers(settings, tmp_path, 0.0) as running:
        wait_until(lambda: ready(running[0]), LONG, "the first is ready")
        assert "LOC, MISC, ORG, PER" in trimod(settings, "group", "show")[1]
        with redis.Redis(port=server.port) as client:
            client.flushall()
        wait_until(
            lambda: "LOC, MISC, ORG, PER" in trimod(settings, "group", "show")[1], LONG, "they are back"
        )
        assert running[0].stop() < 10
