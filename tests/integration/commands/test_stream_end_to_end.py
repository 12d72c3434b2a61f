"""The whole stream as users run it: `trimod ingest`, two `trimod worker` with the shipped model, a crash.

Posts are the samples under ids of their own: every kind of text and image, bad posts, a post that comes twice.
The other tests of workers have a fake tagger; here offsets in text, images and counts meet in earnest.
"""

import subprocess
from pathlib import Path

import orjson
import pytest

from stream.config.settings import Settings
from stream.demo.run import SAMPLES
from stream.local.supervisor import environment
from tests.support.commands import TRIMOD
from tests.support.stream_checks import check_events, metric, read_posts, read_reasons
from tests.support.worker_processes import (
    RealWorker,
    committed,
    expected_totals,
    gone_at_last,
    receipts,
    redis_totals,
    wait_until,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

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
