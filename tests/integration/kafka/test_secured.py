"""Secured links to a real Kafka and a real Redis: whoever should come in comes in, and nobody else; no secret is seen.

One broker and four Redis servers for the whole file; what they let in is in secured.py.
"""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli.main import group
from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.redis import Redis
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.connections.kafka_clients import check_broker
from stream.connections.redis_client import check_version
from stream.counters.store import Counters
from stream.errors import AccessDenied, PassingFault
from stream.kafka.lag import read_lag
from stream.kafka.publisher import OutgoingRecord, Publisher
from stream.kafka.reader import open_topic
from stream.kafka.sender import open_sender
from stream.kafka.topics import ensure_topics
from stream.local.server import LocalServer
from stream.local.stack import free_port
from stream.local.supervisor import environment
from tests.support.tls_servers import (
    KEY_PASSWORD,
    PASSWORD,
    PLAIN_USER,
    PRIVATE,
    REDIS_USER,
    SCRAM_USER,
    Authority,
    SecuredKafka,
    SecuredRedis,
)
from tests.support.worker_processes import wait_until

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parents[2] / "support" / "worker_secured_main.py"
TOKEN = f"{PRIVATE}-token-of-the-web"
QUICK = 10.0
"""Seconds in which a refusal must be said: it takes 0.1 to 0.6, but the machine may be busy."""
HERE = ("127.0.0.1",)


@dataclass(frozen=True)
class World:
    """The servers and the certificates of this file."""

    kafka: SecuredKafka
    redis: dict[str, SecuredRedis]
    ours: Authority
    foreign: Authority
    client: Path
    old: Path
    stranger: Path

    def kafka_links(self) -> dict[str, dict[str, Any]]:
        """What [kafka] says for each of the ways in."""
        login = {"bootstrap_servers": self.kafka.server("LOGIN"), "security_protocol": "SASL_SSL"}
        login |= {"password": PASSWORD, "ca_file": self.ours.file}
        clients = {"bootstrap_servers": self.kafka.server("CLIENTS"), "security_protocol": "SSL"}
        files = {"certificate_file": self.client, "key_password": KEY_PASSWORD, "ca_file": self.ours.file}
        return {
            "scram": login | {"username": SCRAM_USER, "sasl_mechanism": "SCRAM-SHA-512"},
            "plain": login | {"username": PLAIN_USER, "sasl_mechanism": "PLAIN"},
            "certificate": clients | files,
        }

    def redis_link(self, server: str = "good") -> dict[str, Any]:
        """What [redis] says for the ACL user."""
        login = {"username": REDIS_USER, "password": PASSWORD, "ca_file": self.ours.file}
        return {"url": self.redis[server].url, **login}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("secured")
    ours, foreign = Authority(root / "ours"), Authority(root / "foreign")
    servers = {
        "good": SecuredRedis(root / "good", ours, ours.issue("redis", HERE)),
        "clients": SecuredRedis(root / "clients", ours, ours.issue("redis-clients", HERE), clients="yes"),
        "expired": SecuredRedis(root / "expired", ours, ours.issue("redis-expired", HERE, days=-1)),
        "elsewhere": SecuredRedis(root / "elsewhere", ours, ours.issue("redis-away", ("redis.example",))),
    }
    kafka = SecuredKafka(root / "kafka", ours)
    started: list[LocalServer] = []
    try:
        for server in (*servers.values(), kafka):
            started.append(server)
            server.start()
        yield World(
            kafka, servers, ours, foreign,
            client=ours.issue("client", password=KEY_PASSWORD),
            old=ours.issue("old-client", days=-1),
            stranger=foreign.issue("stranger"),
        )  # fmt: skip
    finally:
        for server in reversed(started):
            server.stop()


def fresh(world: World, link: str, tmp_path: Path, **worker: Any) -> Settings:
    """Settings of one test by one of the ways in; its topics exist."""
    name = f"t{uuid.uuid4().hex[:8]}"
    topics = {f"{topic}_topic": f"{name}.{topic}" for topic in ("posts", "entities", "tagged", "dead")}
    kafka = Kafka(**world.kafka_links()[link], **topics, group=name, partitions=1, session_timeout=3.0)
    ensure_topics(kafka)
    return Settings(
        kafka=kafka,
        redis=Redis(**world.redis_link(), prefix="trimod"),
        worker=Worker(device="cpu", threads=1, languages=("*",), **worker),
        local=Local(directory=tmp_path / "local", metrics_port=0),
    )


class Running:
    """A worker process and all that it says."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._log = directory / f"{settings.kafka.group}.log"
        with self._log.open("wb") as log:
            command = [sys.executable, str(SCRIPT)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(settings))

    @property
    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str, token: str = "") -> tuple[int, str]:
        """(status, body) of its web endpoint."""
        found = re.search(r"http://\S+(?=/metrics)", self.log)
        assert found, self.log
        url = found.group().replace("0.0.0.0", "127.0.0.1") + path
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextmanager
def running(settings: Settings, directory: Path) -> Iterator[Running]:
    worker = Running(settings, directory)
    try:
        yield worker
    except BaseException:
        print(worker.log)
        raise
    finally:
        worker.process.send_signal(signal.SIGTERM)
        try:
            worker.process.wait(15)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()


def trimod(settings: Settings, *arguments: str, stdin: str = "") -> str:
    """What a command says, which must succeed; a process of its own."""
    command = [sys.executable, "-m", "stream", *arguments]
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 100, "check": False}
    done = subprocess.run(command, env=environment(settings), input=stdin, **options)
    assert 0 == done.returncode, done.stderr
    return done.stdout + done.stderr


def trimod_here(settings: Settings, *arguments: str) -> str:
    """The same in this process, which costs no start."""
    done = CliRunner().invoke(group, arguments, env=environment(settings))
    assert 0 == done.exit_code, repr(done.exception)
    return done.output


def counted(settings: Settings) -> dict[str, int]:
    async def read() -> dict[str, int]:
        counters = Counters(settings.redis, settings.kafka.group)
        try:
            return await counters.tallies()
        finally:
            await counters.close()

    return asyncio.run(read())


@pytest.mark.parametrize("link", ["plain", "certificate"])
def test_a_post_from_end_to_end(world: World, link: str, tmp_path: Path) -> None:
    """Sender, Faust's consumer, aiokafka's producer, Redis, reader and admin client, each by the same settings."""
    settings = fresh(world, link, tmp_path)
    with running(settings, tmp_path):
        with open_sender(settings.kafka) as sender:
            sender.send("a", settings.kafka.posts_topic, b'{"id": "1", "text": "go Ada"}', b"1")
            sender.finish()
        assert (1, []) == (sender.sent, sender.failures)
        wait_until(lambda: counted(settings).get("posts") == 1, 60, "the post is counted")
        wait_until(lambda: read_lag(settings.kafka).total == 0, 30, "its offset is committed")
    with open_topic(settings.kafka, settings.kafka.entities_topic) as reader:
        (record,) = next(iter(reader.until(reader.ends())))
    assert b'"text":"Ada"' in record.value


def test_commands_and_a_worker_from_files_by_scram_and_no_secret_is_seen(
    world: World, tmp_path: Path
) -> None:
    """The real commands; secrets in files, as Kubernetes has them, for Kafka; in the environment for Redis."""
    secret, token = tmp_path / "password", tmp_path / "token"
    secret.write_text(PASSWORD + "\n")
    token.write_text(TOKEN + "\n")
    web = {"metrics_host": "0.0.0.0", "metrics_token_file": token, "log_level": "debug"}
    settings = fresh(world, "scram", tmp_path, **web)
    by_file = Kafka(**settings.kafka.model_dump() | {"password": "", "password_file": secret})
    settings = settings.model_copy(update={"kafka": by_file})
    seen = [str(settings), repr(settings), settings.model_dump_json()]
    with running(settings, tmp_path) as worker:
        seen.append(trimod(settings, "ingest", "-", stdin='{"id": "1", "text": "go Ada"}\n'))
        wait_until(lambda: counted(settings).get("posts") == 1, 60, "the post is counted")
        arguments = Path(f"/proc/{worker.process.pid}/cmdline").read_bytes().decode()
        assert "worker_secured_main" in arguments
        seen += [arguments, trimod(settings, "tail", "--from-beginning", "--max", "1")]
        assert " Ada " in seen[-1]
        seen += [trimod_here(settings, command) for command in ("lag", "top", "topics")]
        seen.append(trimod_here(settings, "counters", "rebuild"))

        assert 401 == worker.get("/metrics")[0]
        assert 401 == worker.get("/metrics", TOKEN[:-1])[0]
        assert 401 == worker.get("/anything")[0]
        status, metrics = worker.get("/metrics", TOKEN)
        assert (200, True) == (status, "trimod_" in metrics)
        status, short = worker.get("/health")  # a probe sends no token
        assert (200, True, False) == (status, '"running"' in short, "version" in short)
        assert 200 == worker.get("/ready")[0]
        health = worker.get("/health", TOKEN)[1]
        assert '"version"' in health
        seen += [metrics, short, health]
    seen.append(worker.log)
    assert " DEBUG " in worker.log
    assert [] == [text for text in seen if PRIVATE in text]


KAFKA_REFUSALS: dict[str, tuple[str, Callable[[World], dict[str, Any]], str]] = {
    "wrong password": ("scram", lambda w: {"password": f"{PRIVATE}-wrong"}, "refuses the user name or the password"),
    "wrong password, PLAIN": ("plain", lambda w: {"password": f"{PRIVATE}-wrong"}, "user name or the password"),
    "unknown user": ("scram", lambda w: {"username": "nobody"}, "refuses the user name or the password"),
    "mechanism not offered": ("scram", lambda w: {"sasl_mechanism": "SCRAM-SHA-256"}, "does not support SCRAM-SHA-256"),
    "unknown authority": ("scram", lambda w: {"ca_file": w.foreign.file}, "not accepted: self-signed certificate"),
    "authority of the system": ("scram", lambda w: {"ca_file": None}, "not accepted: self-signed certificate"),
    "expired": (
        "certificate", lambda w: {"bootstrap_servers": w.kafka.server("EXPIRED")}, "certificate has expired",
    ),
    "other host": (
        "certificate", lambda w: {"bootstrap_servers": w.kafka.server("ELSEWHERE")}, "not valid for '127.0.0.1'",
    ),
    "no certificate of ours": (
        "certificate", lambda w: {"certificate_file": None, "key_password": ""}, "certificate is missing",
    ),
    "expired certificate of ours": (
        "certificate", lambda w: {"certificate_file": w.old, "key_password": ""}, "missing or not accepted",
    ),
    "certificate of a stranger": (
        "certificate", lambda w: {"certificate_file": w.stranger, "key_password": ""}, "missing or not accepted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KAFKA_REFUSALS)
def test_kafka_refuses_or_is_refused_at_once(world: World, case: str) -> None:
    link, change, cause = KAFKA_REFUSALS[case]
    kafka = Kafka(**world.kafka_links()[link] | change(world))
    for use in (
        lambda: ensure_topics(kafka),
        lambda: open_topic(kafka, "posts").__enter__(),
        lambda: open_sender(kafka).__enter__(),
    ):
        message = refusal(use)
        assert cause in message
        assert f"no secured link to Kafka at {kafka.bootstrap_servers}" in message


REDIS_REFUSALS: dict[str, tuple[str, Callable[[World], dict[str, Any]], str]] = {
    "wrong password": ("good", lambda w: {"password": f"{PRIVATE}-wrong"}, "invalid username-password pair"),
    "other user": ("good", lambda w: {"username": "default"}, "invalid username-password pair"),
    "unknown authority": (
        "good",
        lambda w: {"ca_file": w.foreign.file},
        "not accepted: self-signed certificate",
    ),
    "authority of the system": ("good", lambda w: {"ca_file": None}, "not accepted: self-signed certificate"),
    "expired": ("expired", lambda w: {}, "certificate has expired"),
    "other host": ("elsewhere", lambda w: {}, "not valid for '127.0.0.1'"),
    "no certificate of ours": ("clients", lambda w: {}, "certificate is missing"),
    "certificate of a stranger": (
        "clients",
        lambda w: {"certificate_file": w.stranger},
        "missing or not accepted",
    ),
}


@pytest.mark.parametrize("case", REDIS_REFUSALS)
def test_redis_refuses_or_is_refused_at_once(world: World, case: str) -> None:
    server, change, cause = REDIS_REFUSALS[case]
    settings = Redis(**world.redis_link(server) | change(world))
    message = refusal(lambda: knock(settings))
    assert cause in message
    assert settings.url.removeprefix("rediss://").removesuffix("/0") in message


def knock(settings: Redis) -> None:
    """Ask Redis for its version, as a worker does at its start."""

    async def ask() -> None:
        try:
            await check_version(settings)
        finally:
            await asyncio.sleep(0.05)  # asyncio closes a transport whose handshake failed only after a while

    asyncio.run(ask())


def refusal(use: Callable[[], Any]) -> str:
    """The one line that `use` is refused with, soon and without a secret."""
    began = time.monotonic()
    with pytest.raises(AccessDenied) as caught:
        use()
    assert time.monotonic() - began < QUICK
    message = str(caught.value)
    assert "\n" not in message
    assert PRIVATE not in message
    return message


def test_redis_takes_a_certificate_of_ours_with_its_key_in_a_file_of_its_own(world: World) -> None:
    files = {
        "certificate_file": world.client.with_suffix(".crt"),
        "key_file": world.client.with_suffix(".key"),
    }
    knock(Redis(**world.redis_link("clients"), **files, key_password=KEY_PASSWORD))


def test_a_password_changed_while_a_worker_runs_ends_it(world: World) -> None:
    """Its next producer is refused: were that taken for a broker that is away, it would wait for ever."""
    kafka = Kafka(**world.kafka_links()["scram"] | {"password": f"{PRIVATE}-wrong"})
    message = refusal(lambda: asyncio.run(Publisher(kafka).publish([OutgoingRecord("posts", b"", b"")])))
    assert "the password" in message


@pytest.mark.parametrize("wrong", ["kafka", "redis"])
def test_a_worker_with_a_wrong_password_ends_with_one_line(world: World, wrong: str, tmp_path: Path) -> None:
    """Exit code 2: a supervisor that starts it again would only lock the account."""
    settings = fresh(world, "scram", tmp_path)
    changed = getattr(settings, wrong).model_copy(update={"password": f"{PRIVATE}-wrong"})
    values = settings.model_dump() | {wrong: changed.model_dump()}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=environment(Settings.model_validate(values)), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("trimod: ")]
    assert (2, 1) == (done.returncode, len(lines)), done.stderr
    assert "password" in lines[0]
    assert "Traceback" not in done.stderr
    assert PRIVATE not in done.stderr + done.stdout


def test_a_server_that_breaks_off_is_away_and_refuses_nobody(world: World) -> None:
    """On its way down a server cuts connections in the middle of a handshake: that passes, so it is tried again."""
    with socket.create_server((*HERE, 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=_cut_off, args=(server,), daemon=True).start()
        with pytest.raises(PassingFault):
            knock(Redis(**world.redis_link() | {"url": f"rediss://127.0.0.1:{port}/0"}))
        link = world.kafka_links()["scram"] | {"bootstrap_servers": f"127.0.0.1:{port}"}
        check_broker(Kafka(**link))  # leaves it to the client, which tries again


def _cut_off(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:  # the test is over
            return


def test_nobody_there_is_a_passing_fault(world: World) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with pytest.raises(PassingFault, match="no Kafka broker answers"):
        ensure_topics(Kafka(**world.kafka_links()["scram"] | {"bootstrap_servers": nobody}))
    with pytest.raises(PassingFault, match="is away"):
        knock(Redis(**world.redis_link() | {"url": f"rediss://{nobody}/0"}))
