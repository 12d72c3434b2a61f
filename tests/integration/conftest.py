"""A real Kafka and a real Redis for the whole session, and fresh topics, group and key prefix for each test.

Child processes as `trimod up` starts them, on free ports and in temporary folders. Where Kafka or Redis is
not installed the tests fail and say what to run: a test that skips shows nothing.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.redis import Redis
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.kafka.topics import ensure_topics
from stream.local.redis import LocalRedis
from stream.local.stack import LocalKafka, free_port
from stream.runtime.fault_injection import VARIABLE


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """The session's broker, which runs already."""
    server = LocalKafka(tmp_path_factory.mktemp("kafka"), free_port(consecutive=2))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The session's Redis."""
    server = LocalRedis(tmp_path_factory.mktemp("redis"), free_port())
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def kafka(broker: LocalKafka) -> Kafka:
    """The session's broker under names of this test alone; its topics exist, with 8 partitions."""
    name = f"t{uuid.uuid4().hex[:8]}"
    kafka = Kafka(
        bootstrap_servers=broker.bootstrap_servers,
        group=name,
        posts_topic=f"{name}.posts",
        entities_topic=f"{name}.entities",
        tagged_topic=f"{name}.tagged",
        dead_topic=f"{name}.dead",
        session_timeout=3.0,  # a killed worker's partitions move on soon
    )
    ensure_topics(kafka)
    return kafka


@pytest.fixture
def settings(kafka: Kafka, redis_url: str, tmp_path: Path) -> Settings:
    """Settings of this test alone on the session's servers; no checkpoint is chosen."""
    return Settings(
        kafka=kafka,
        redis=Redis(url=redis_url, prefix=kafka.group),
        worker=Worker(device="cpu", threads=1, languages=("*",)),
        local=Local(directory=tmp_path / "local", metrics_port=0),
    )


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of faults (stream/runtime/fault_injection.py) of workers that are started now."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "faults"))
    return tmp_path / "faults"
