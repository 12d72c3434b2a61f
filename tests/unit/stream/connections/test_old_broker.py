"""A broker that is too old is reported in one line by every command, before the clients fail somewhere on it.

Kafka 4 cannot play an old broker, so a socket does: it answers ApiVersions and Metadata as Kafka 0.10 to 2.7 do.
"""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stream.config.kafka import Kafka
from stream.connections.kafka_clients import check_broker
from stream.errors import SettingsError

API_VERSIONS, METADATA = 18, 3


def answer_of(key: int, correlation: int, port: int, metadata: int) -> bytes:
    if key == API_VERSIONS:
        supported = [(0, 7), (1, 11), (2, 5), (METADATA, metadata), (10, 3), (API_VERSIONS, 0), (19, 3)]
        body = struct.pack(">hi", 0, len(supported)) + b"".join(
            struct.pack(">hhh", k, 0, v) for k, v in supported
        )
    else:  # Metadata v1: one broker, a controller, no topics
        host = b"127.0.0.1"
        body = struct.pack(f">iih{len(host)}sihii", 1, 1, len(host), host, port, -1, 1, 0)
    return struct.pack(">ii", 4 + len(body), correlation) + body


@contextmanager
def broker(metadata: int) -> Iterator[int]:
    """The port of a broker whose Metadata requests go up to that version."""

    def serve(link: socket.socket) -> None:
        with link, link.makefile("rb") as requests:
            while size := requests.read(4):
                request = requests.read(*struct.unpack(">i", size))
                key, _, correlation = struct.unpack(">hhi", request[:8])
                link.sendall(answer_of(key, correlation, port, metadata))

    def accept() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(link,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield port
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("metadata", [1, 4, 5, 8, 9])
def test_a_broker_before_2_8_is_reported(metadata: int) -> None:
    with broker(metadata) as port:
        server = f"127.0.0.1:{port}"
        with pytest.raises(SettingsError) as caught:
            check_broker(Kafka(bootstrap_servers=server))
    expected = f"is older than 2.8 (it has version {metadata} of Metadata requests): 2.8 or newer is needed"
    assert f"Kafka at {server} {expected}" == str(caught.value)


@pytest.mark.parametrize("metadata", [10, 11, 12])
def test_a_newer_one_is_not(metadata: int) -> None:
    with broker(metadata) as port:
        check_broker(Kafka(bootstrap_servers=f"127.0.0.1:{port}"))


@pytest.mark.parametrize("command", ["topics", "lag", "tail", "dead list"])
def test_commands_say_it_in_one_line(command: str) -> None:
    with broker(9) as port:
        done = subprocess.run(
            [sys.executable, "-m", "stream", *command.split(), "--set", f"kafka.bootstrap_servers=127.0.0.1:{port}"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert (2, "") == (done.returncode, done.stdout)
    [line] = done.stderr.splitlines()
    assert line.startswith(f"trimod: Kafka at 127.0.0.1:{port} is older than 2.8")


@pytest.mark.parametrize(
    "said", [b"", b"-ERR unknown command\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\4\0\0\0\0"]
)
def test_another_server_is_left_to_the_client(said: bytes) -> None:
    def answer() -> None:
        link, _ = listener.accept()
        with link:
            link.recv(1024)
            link.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        check_broker(Kafka(bootstrap_servers=f"127.0.0.1:{listener.getsockname()[1]}"))
        thread.join()
