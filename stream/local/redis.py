"""Redis as a child process, on loopback. `make redis` installs it; nothing is downloaded here."""

import shutil
import subprocess
from pathlib import Path

import redis

from stream.connections.redis_client import OLDEST, is_too_old
from stream.errors import LocalServerError
from stream.local.process import Child
from stream.local.server import LOOPBACK, LocalServer


class LocalRedis(LocalServer):
    """One Redis on `port` with its append-only file and log in `directory`."""

    name, setting = "Redis", "local.redis_port"

    def __init__(self, directory: Path, port: int):
        self.directory, self.port = directory, port
        options = ("--bind", LOOPBACK, "--port", str(port), "--appendonly", "yes", "--save", "")
        command = ("redis-server", *options, "--dir", str(directory))
        super().__init__(Child(self.name, command, directory / "redis.log"), ports=(port,))

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        if not shutil.which("redis-server"):
            raise LocalServerError("redis-server is not installed: run `make redis`")
        said = subprocess.run(
            ("redis-server", "--version"), capture_output=True, text=True, check=False
        ).stdout
        version = said.partition(" v=")[2].split(" ")[0]
        if is_too_old(version):
            raise LocalServerError(f"redis-server is version {version}: {OLDEST} or newer is needed")
        self.directory.mkdir(parents=True, exist_ok=True)

    def answers(self) -> bool:
        client = redis.Redis(host=LOOPBACK, port=self.port, socket_timeout=2.0)
        try:
            return bool(client.ping())
        except redis.RedisError:  # it does not listen yet, or still loads its data
            return False
        finally:
            client.close()
