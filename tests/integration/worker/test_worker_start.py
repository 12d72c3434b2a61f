"""A worker that cannot start says why in one line, ends with a non-zero code, and does so soon."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.errors import PassingFault
from stream.local.stack import free_port
from tests.support.running_stack import start_fake
from tests.support.tiny_checkpoint import tiny_checkpoint

pytestmark = pytest.mark.integration


def start(*arguments: str) -> tuple[int, str]:
    """(exit code, stderr) of `trimod worker`."""
    ended = subprocess.run(
        [sys.executable, "-m", "stream", "worker", "--device", "cpu", *arguments],
        capture_output=True, text=True, timeout=120,
        env={name: value for name, value in os.environ.items() if not name.startswith("TRIMOD_")},
    )  # fmt: skip
    return ended.returncode, ended.stderr


def test_unknown_setting() -> None:
    code, stderr = start("--set", "kafka.grupp=x")
    assert (2, ["trimod: unknown setting 'kafka.grupp'"]) == (code, stderr.splitlines())


def test_bad_value_of_a_flag() -> None:
    code, stderr = start("--device", "quantum")
    assert 2 == code
    (line,) = stderr.splitlines()
    assert line.startswith("trimod: bad setting 'worker.device'")


def test_corrupted_checkpoint(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "checkpoint")
    weights = path / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    code, stderr = start("--checkpoint", str(path))
    assert 1 == code
    (line,) = stderr.splitlines()
    assert "model.safetensors" in line


def test_no_broker() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    code, stderr = start_fake(Settings(kafka=Kafka(bootstrap_servers=nobody)))
    assert PassingFault.exit_code == code
    (line,) = stderr.splitlines()
    assert f"trimod: no Kafka broker answers at {nobody}" in line


def test_metrics_port_that_is_taken(kafka: Kafka) -> None:
    taken = int(kafka.bootstrap_servers.rpartition(":")[2])  # the broker's own
    code, stderr = start_fake(Settings(kafka=kafka, worker=Worker(metrics_port=taken)))
    assert 1 == code
    assert f"trimod: cannot serve metrics on 127.0.0.1:{taken}" in stderr.splitlines()[-1]
