"""Questions to running workers, and changes to the Kafka and Redis below them: for the integration tests."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka.admin import ConfigResource, ConfigResourceType

from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.kafka.topics import admin_client
from stream.local.redis import LocalRedis
from stream.local.stack import free_port
from tests.support.worker_processes import (
    SCRIPT,
    WorkerProcess,
    post,
    send,
)


def health(worker: WorkerProcess) -> dict[str, object]:
    return json.loads(worker.get("/health")) if "/metrics" in worker.log else {}


def ready(worker: WorkerProcess) -> bool:
    return bool(health(worker).get("ready"))


def set_limit(kafka: Kafka, topic: str, size: int) -> None:
    with admin_client(kafka) as admin:
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})]
        )


@contextmanager
def own_redis(settings: Settings, tmp_path: Path) -> Iterator[tuple[LocalRedis, Settings]]:
    """A Redis that a test may stop, fill or empty, and the settings that connect to it."""
    server = LocalRedis(tmp_path / "redis", free_port())
    server.start()
    try:
        yield (
            server,
            settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": server.url})}),
        )
    finally:
        server.stop()


def start_fake(settings: Settings) -> tuple[int, str]:
    """(exit code, stderr) of a worker with the fake tagger that is expected to end."""
    command = [sys.executable, str(SCRIPT), settings.model_dump_json(), "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return ended.returncode, ended.stderr


PER_SECOND = 40
"""Posts that `steady_posts` sends."""


@contextmanager
def steady_posts(settings: Settings) -> Iterator[list[int]]:
    """Sends posts until the context ends. The list holds the number sent so far."""
    sent, stop = [0], threading.Event()

    def run() -> None:
        while not stop.wait(1.0):
            batch = [
                post(n, "Toronto Maple Leafs won in Toronto") for n in range(sent[0], sent[0] + PER_SECOND)
            ]
            send(settings.kafka, batch, sent[0])
            sent[0] += len(batch)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


def one_partition(kafka: Kafka) -> Kafka:
    """For `send`: everything to partition 0."""
    return kafka.model_copy(update={"partitions": 1})
