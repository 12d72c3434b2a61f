"""A whole file of posts through a real stack, checked post by post, as a figure to quote and not a test.

`python -m tests.load.full_run POSTS IMAGES [--kill]`: Kafka and Redis of its own, two workers with the shipped
model over 8 partitions, `trimod ingest`; with --kill one worker is killed (SIGKILL) in the middle and started again.
The same checks as test_stream_end_to_end.py, on as many posts as the file has.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.local.stack import LocalStack, free_port
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

LIMIT = 1800
"""Seconds at most for all posts."""


def settings(directory: Path, images: Path) -> Settings:
    port = free_port(consecutive=2)
    return Settings(
        kafka=Kafka(session_timeout=6.0),
        worker=Worker(device="cpu", threads=1, languages=("*",), images_root=images.resolve()),
        local=Local(directory=directory, kafka_port=port, redis_port=free_port(), metrics_port=0),
    )


def run(here: Settings, directory: Path, posts: Path, images: Path, kill: bool) -> None:
    with gone_at_last([RealWorker(here, directory) for _ in range(2)]) as running:
        wait_until(lambda: all(worker.assigned for worker in running), 180, "two workers have partitions")
        command = [TRIMOD, "ingest", str(posts), "--images-root", str(images)]
        began = time.monotonic()
        subprocess.run(command, env=environment(here), check=True)
        count = sum(bool(line.strip()) for line in posts.read_bytes().splitlines())
        if kill:
            wait_until(lambda: sum(committed(here.kafka).values()) > count / 3, LIMIT, "a third is done")
            print(f"killed a worker with {sum(committed(here.kafka).values())} of {count} committed")
            running.pop(0).kill()
            running.append(RealWorker(here, directory))
        wait_until(lambda: sum(committed(here.kafka).values()) == count, LIMIT, "all posts are committed")
        seconds = time.monotonic() - began
        images_by_outcome = dict(metric("trimod_images_total", running))
        for worker in running:
            worker.stop()
    found = receipts(here.kafka)
    expected, texts = read_posts(here)
    assert expected == read_reasons(here), "a post is missing, or dead without its reason"
    assert expected_totals(found) == redis_totals(here), "Redis does not hold the first receipts' mentions"
    check_events(here, texts)
    mentions = sum(sum(counts.values()) for counts in redis_totals(here).values())
    print(f"images: {images_by_outcome} (of the workers that were alive at the end)")
    distinct = len({(receipt.origin.partition, receipt.origin.offset) for receipt in found})
    dead = sum(map(bool, expected.values()))
    print(
        f"full run: posts={count} receipts={len(found)} distinct={distinct} dead={dead} mentions={mentions}"
    )
    print(f"full run: seconds={seconds:.0f} posts_per_s={count / seconds:.1f}; none missing, totals equal")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["--kill"]):
        sys.exit("usage: python -m tests.load.full_run POSTS IMAGES [--kill]")
    with tempfile.TemporaryDirectory(prefix="trimod-full-run-") as folder:
        stack = LocalStack(settings(Path(folder) / "local", Path(sys.argv[2])))
        stack.start(print)
        try:
            run(
                stack.settings, Path(folder), Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] == ["--kill"]
            )
        finally:
            stack.stop()
