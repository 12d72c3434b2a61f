"""The whole stream as users run it: `trimod ingest`, two `trimod worker` with the shipped model, a crash.

Posts are the samples under ids of their own: every kind of text and image, bad posts, a post that comes twice.
The other tests of workers have a fake tagger; here offsets in text, images and counts meet in earnest.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.config.settings import Settings
from stream.demo.run import SAMPLES
from stream.errors import BadPost
from stream.local.supervisor import environment
from stream.messages.events import EntityEvent
from stream.messages.posts import decode_post
from tests.support.worker_processes import (
    RealWorker,
    WorkerProcess,
    committed,
    expected_totals,
    gone_at_last,
    read_all,
    receipts,
    redis_totals,
    wait_until,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TRIMOD = str(Path(sys.executable).with_name("trimod"))
IMAGES = ("--images-root", str(SAMPLES))
START = 180
"""Seconds at most until a worker has loaded its model and has partitions; on a quiet machine it takes 10."""
RATE = 40
"""Posts per second while a worker is killed: slow enough for that to be in the middle."""


def write_posts(path: Path, rounds: range) -> int:
    """The samples once per round, each time under other ids; how many."""
    lines = []
    for number in rounds:
        for line in (SAMPLES / "posts.jsonl").read_bytes().splitlines():
            try:
                fields = orjson.loads(line)
            except orjson.JSONDecodeError:
                lines.append(line)
            else:
                lines.append(orjson.dumps({**fields, "id": f"{fields['id']}-{number}"}))
    path.write_bytes(b"\n".join(lines))
    return len(lines)


def ingest(settings: Settings, path: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [TRIMOD, "ingest", str(path), *IMAGES, *options]
    return subprocess.Popen(command, env=environment(settings), stdout=subprocess.DEVNULL)


def read_posts(settings: Settings) -> tuple[dict[tuple[int, int], str], dict[tuple[str, str], str]]:
    """Of the posts topic: (partition, offset) -> why the post there is none, or ""; (source, id) -> text."""
    kafka = settings.kafka
    reasons, texts = {}, {}
    for record in read_all(kafka, kafka.posts_topic):
        try:
            post = decode_post(record.value)
        except BadPost as error:
            reasons[record.partition, record.offset] = str(error)
        else:
            reasons[record.partition, record.offset] = ""
            texts[post.source, post.id] = post.text
    return reasons, texts


def read_reasons(settings: Settings) -> dict[tuple[int, int], str]:
    """(partition, offset) -> the reason of every dead post, "" for those that have a receipt."""
    kafka = settings.kafka
    reasons = {(found.origin.partition, found.origin.offset): "" for found in receipts(kafka)}
    for record in read_all(kafka, kafka.dead_topic):
        headers = {name: value.decode() for name, value in record.headers}
        reasons[int(headers["partition"]), int(headers["offset"])] = headers["message"]
    return reasons


def metric(name: str, running: list[WorkerProcess]) -> Counter[tuple[str, ...]]:
    """What these workers together count under `name`, by the labels' values."""
    counts: Counter[tuple[str, ...]] = Counter()
    for worker in running:
        for family in text_string_to_metric_families(worker.get("/metrics")):
            for sample in family.samples:
                if sample.name == name and sample.value:
                    counts[tuple(sample.labels.values())] += int(sample.value)
    return counts


def check_events(settings: Settings, texts: dict[tuple[str, str], str]) -> list[EntityEvent]:
    """The events: each is where it says in its post's text, and receipts name these and no others."""
    kafka = settings.kafka
    events = [EntityEvent.model_validate_json(each.value) for each in read_all(kafka, kafka.entities_topic)]
    for event in events:
        text = texts[event.source, event.post_id]
        units = text.encode("utf-16-le")[2 * event.start_utf16 : 2 * event.end_utf16]
        assert (event.text, event.text) == (text[event.start : event.end], units.decode("utf-16-le"))
    named = {mention.event_id for receipt in receipts(kafka) for mention in receipt.mentions}
    assert {event.event_id for event in events} == named
    return events


def test_ingest_to_counts_with_the_shipped_model_and_a_killed_worker(
    settings: Settings, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    count = write_posts(first, range(2))
    with gone_at_last([RealWorker(settings, tmp_path, *IMAGES) for _ in range(2)]) as running:
        wait_until(lambda: all(worker.assigned for worker in running), START, "two workers have partitions")
        with ingest(settings, first, "--rate", str(RATE)) as sending:
            wait_until(
                lambda: metric("trimod_posts_total", running[:1]).total() > count / 8, 60, "work has begun"
            )
            running.pop(0).kill()
            done = sum(committed(settings.kafka).values())
            assert done < count, "killed too late to show anything"
            running.append(RealWorker(settings, tmp_path, *IMAGES))
        assert 0 == sending.returncode
        wait_until(lambda: running[1].assigned, START, "the worker is back")
        count += write_posts(second, range(2, 3))
        with ingest(settings, second) as sending:
            pass
        assert 0 == sending.returncode
        wait_until(lambda: sum(committed(settings.kafka).values()) == count, 60, "all posts are committed")
        images = metric("trimod_images_total", running)
        assert {("used", ""), ("broken", "undecodable"), ("broken", "unreadable")} == set(images)
        assert all(worker.stop() < 15 for worker in running)
    expected, texts = read_posts(settings)
    assert count == len(expected)
    assert expected == read_reasons(settings)
    assert expected_totals(receipts(settings.kafka)) == redis_totals(settings)
    events = check_events(settings, texts)
    assert any(event.start != event.start_utf16 for event in events), "no text with an emoji before a mention"
