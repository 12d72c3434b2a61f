"""Kafka and Redis as children: what stays, what ends, and what is said when they cannot start."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaProducer

from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.settings import Settings
from stream.errors import LocalServerError
from stream.kafka.topics import describe_topics
from stream.local.redis import LocalRedis
from stream.local.stack import LocalKafka, LocalStack, free_port
from stream.messages.base import MAX_DEAD_BYTES

pytestmark = pytest.mark.integration


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    ports = {"kafka_port": free_port(consecutive=2), "redis_port": free_port(), "metrics_port": 0}
    return Settings(local=Local(directory=tmp_path, workers=0, **ports))


def processes_of(directory: Path) -> list[str]:
    """Command lines of other processes that name the folder (Kafka, `trimod up`) or work in it (Redis)."""
    # those that end meanwhile, or are not ours to read, are passed over
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            folder = (process / "cwd").readlink()
            if str(directory) in command or directory in folder.parents:
                found.append(command)
    return found


def gone(directory: Path, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while processes_of(directory) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not processes_of(directory)


@pytest.fixture
def running(here: Settings) -> Iterator[subprocess.Popen[str]]:
    """`trimod up` without workers, which has told its status."""
    local = {f"local.{key}": str(value) for key, value in here.local.model_dump(mode="json").items()}
    options = [part for key, value in local.items() for part in ("--set", f"{key}={value}")]
    process = subprocess.Popen(
        [sys.executable, "-m", "stream", "up", *options],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Ctrl-C"):
            break
    yield process
    process.kill()
    process.communicate()


def test_up_leaves_no_process_when_it_is_told_to_end(running: subprocess.Popen[str], here: Settings) -> None:
    assert 3 == len(processes_of(here.local.directory))  # itself, Kafka, Redis
    running.terminate()
    output, _ = running.communicate(timeout=60)
    assert (0, []) == (running.returncode, processes_of(here.local.directory))
    assert output.endswith(f"stopped; the data are kept in {here.local.directory / 'data'}\n")


def test_no_process_survives_a_kill_but_the_data_do(running: subprocess.Popen[str], here: Settings) -> None:
    """The parent of Kafka and Redis has no time to stop them: the kernel does."""
    stack = LocalStack(here)
    settings = stack.settings
    producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers, acks="all")
    producer.send("posts", b"kept", key=b"1").get(timeout=30)
    producer.close()
    with redis.Redis.from_url(settings.redis.url) as client:
        client.set("kept", "yes")
    running.kill()
    running.wait()
    assert gone(here.local.directory)
    stack.start()
    try:
        assert [1, 0, 0, 0] == [info.records for info in describe_topics(settings.kafka)]
        with redis.Redis.from_url(settings.redis.url) as client:
            assert b"yes" == client.get("kept")
    finally:
        stack.stop()
    assert [] == processes_of(here.local.directory)


def test_a_dead_letter_of_full_size_goes_through(kafka: Kafka) -> None:
    """The broker's own limits must not be under those of the topics. aiokafka: its checksums are compiled."""
    value = os.urandom(MAX_DEAD_BYTES - 2**16)

    async def there_and_back() -> bytes | None:
        limits = {"bootstrap_servers": kafka.bootstrap_servers}
        async with AIOKafkaProducer(**limits, max_request_size=2 * MAX_DEAD_BYTES) as producer:
            await producer.send_and_wait(kafka.dead_topic, value)
        async with AIOKafkaConsumer(kafka.dead_topic, **limits, auto_offset_reset="earliest") as consumer:
            return (await consumer.getone()).value

    assert value == asyncio.run(there_and_back())


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    # The one below must be free: Kafka looks at it first.
    port = free_port(consecutive=2) + 1
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(
            LocalServerError, match=rf"^port {port} for Redis is taken: .* set local.redis_port$"
        ):
            LocalRedis(tmp_path, port).start()
        with pytest.raises(
            LocalServerError, match=rf"^port {port} for Kafka is taken: .* set local.kafka_port$"
        ):
            LocalKafka(tmp_path, port - 1).start()  # its controller would take it


def test_missing_jars_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(
        LocalServerError, match=rf"^Kafka is not installed in {tmp_path}/none: run `make kafka`$"
    ):
        LocalKafka(tmp_path, free_port(consecutive=2), libs=tmp_path / "none").start()


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalServerError, match=r"^redis-server is not installed: run `make redis`$"):
        LocalRedis(tmp_path, free_port()).start()
    with pytest.raises(LocalServerError, match=r"^Kafka needs Java 17 .* install openjdk-17-jre-headless$"):
        LocalKafka(tmp_path, free_port(consecutive=2)).start()


def test_a_redis_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the counters' script would fail at its first post."""
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64 build=0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalServerError, match=r"^redis-server is version 6.0.16: 6.2 or newer is needed$"):
        LocalRedis(tmp_path / "data", free_port()).start()


def test_a_server_that_dies_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("no manifest\n")
    with pytest.raises(
        LocalServerError, match=r"^Redis exited with code 1: .*manifest.* \(log: .*redis.log\)$"
    ):
        LocalRedis(tmp_path, free_port()).start()


def test_two_stacks_do_not_share_a_folder(here: Settings) -> None:
    """Redis would let them, and ruin its file."""
    other = here.model_copy(update={"local": here.local.model_copy(update={"redis_port": free_port()})})
    first, second = LocalStack(here), LocalStack(other)
    first._lock_directory()
    with pytest.raises(LocalServerError, match="are already running"):
        second.start()
    first.stop()
