"""Redis Cluster and Sentinel: a node with our keys works; others are rejected with exit code 2, and say what to do."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from stream.config.redis import Redis
from stream.config.settings import Settings
from stream.connections.redis_client import check_version
from stream.errors import SettingsError
from stream.local.server import free_port
from stream.local.supervisor import environment
from tests.support.running_stack import start_fake
from tests.support.worker_processes import (
    LONG,
    committed,
    expected_totals,
    post,
    receipts,
    redis_totals,
    send,
    wait_until,
    workers,
)  # fmt: skip

pytestmark = pytest.mark.integration

SLOTS = 16384


class Node:
    """A redis-server with these options."""

    def __init__(self, directory: Path, *options: str, config: str = "") -> None:
        self.port = free_port()
        directory.mkdir()
        file = directory / "redis.conf"
        file.write_text(f'port {self.port}\nbind 127.0.0.1\nsave ""\ndir {directory}\n{config}')
        self._process = subprocess.Popen(
            ["redis-server", str(file), *options], stdout=subprocess.DEVNULL, start_new_session=True
        )
        self.client = redis.Redis(port=self.port)
        wait_until(self._answers, LONG, "redis-server answers")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        self.client.close()
        self._process.terminate()
        self._process.wait(10)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    """Two nodes with the lower and the upper half of the slots."""
    directory = tmp_path_factory.mktemp("cluster")
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    nodes = Node(directory / "a", *options), Node(directory / "b", *options)
    try:
        for node, first, last in ((nodes[0], 0, SLOTS // 2 - 1), (nodes[1], SLOTS // 2, SLOTS - 1)):
            node.client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
        nodes[0].client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[1].port)
        wait_until(
            lambda: all(n.client.execute_command("CLUSTER INFO")["cluster_state"] == "ok" for n in nodes),
            LONG, "the cluster is up",
        )  # fmt: skip
        time.sleep(1.0)  # both know all slots
        yield nodes
    finally:
        for node in nodes:
            node.stop()


def with_redis(settings: Settings, url: str) -> Settings:
    """The same on another Redis."""
    return settings.model_copy(update={"redis": Redis(url=url, prefix=settings.redis.prefix)})


def split(settings: Settings, cluster: tuple[Node, Node]) -> tuple[Node, Node]:
    """The node that has our keys, and the other one."""
    slot = cluster[0].client.execute_command("CLUSTER KEYSLOT", f"{{{settings.redis.prefix}}}:any")
    return cluster if slot < SLOTS // 2 else (cluster[1], cluster[0])


def test_a_node_without_our_keys_is_rejected(settings: Settings, cluster: tuple[Node, Node]) -> None:
    ours, other = split(settings, cluster)
    moved = f"bad setting 'redis.url': 127.0.0.1:{other.port} is a node of a Redis Cluster that does not have our keys"
    code, stderr = start_fake(with_redis(settings, other.url))
    assert (2, True) == (code, f"trimod: {moved}" in stderr.splitlines()[-1]), stderr
    assert f"now 127.0.0.1:{ours.port}" in stderr.splitlines()[-1]
    for command in (["top"], ["counters", "show"], ["group", "show"]):
        done = subprocess.run(
            [sys.executable, "-m", "stream", *command], capture_output=True, text=True, timeout=60,
            env=environment(with_redis(settings, other.url)),
        )  # fmt: skip
        assert (2, "") == (done.returncode, done.stdout), done.stderr
        assert moved in done.stderr


def test_the_node_that_has_them_works(settings: Settings, cluster: tuple[Node, Node], tmp_path: Path) -> None:
    own = with_redis(settings, split(settings, cluster)[0].url)
    send(own.kafka, [post(n, f"in Rome{n}") for n in range(16)])
    with workers(own, tmp_path, 0.0) as running:
        wait_until(lambda: sum(committed(own.kafka).values()) == 16, LONG, "all is committed")
        assert running[0].stop() < 10
    assert expected_totals(receipts(own.kafka)) == redis_totals(own)


@pytest.mark.parametrize(
    ("database", "told"), [("1", "a Redis Cluster has only database 0"), ("99", "database")]
)
def test_another_database_of_a_cluster_is_rejected(
    settings: Settings, cluster: tuple[Node, Node], database: str, told: str
) -> None:
    url = split(settings, cluster)[0].url.removesuffix("0") + database
    with pytest.raises(SettingsError, match=rf"'redis\.url': .*{told}"):
        asyncio.run(check_version(with_redis(settings, url).redis))


def test_a_database_that_is_not_there_is_rejected(settings: Settings) -> None:
    url = settings.redis.url.removesuffix("0") + "99"
    with pytest.raises(SettingsError, match=r"'redis\.url': .*it does not have this database"):
        asyncio.run(check_version(with_redis(settings, url).redis))


def test_a_sentinel_is_rejected(settings: Settings, tmp_path: Path) -> None:
    watched = settings.redis.url.removeprefix("redis://").removesuffix("/0").replace(":", " ")
    sentinel = Node(tmp_path / "s", "--sentinel", config=f"sentinel monitor mymaster {watched} 1\n")
    try:
        code, stderr = start_fake(with_redis(settings, sentinel.url))
        assert 2 == code
        assert (
            f"127.0.0.1:{sentinel.port} is a Sentinel: set the address of the master"
            in stderr.splitlines()[-1]
        )
    finally:
        sentinel.stop()
