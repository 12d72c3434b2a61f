"""What `trimod up` reports of its workers: real HTTP servers, and children that are none."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from stream.config.local import Local
from stream.config.worker import Worker
from stream.local.readiness import PATIENCE, Readiness


class Health:
    """A worker's `/ready`, which says what it is told to."""

    def __init__(self) -> None:
        self.body: Any = {"ready": False, "state": "starting", "reasons": ["the worker is starting"]}
        health = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(health.body).encode()
                self.send_response(200 if health.body.get("ready") else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@pytest.fixture
def health() -> Iterator[Health]:
    found = Health()
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def child(output: str = "", **changes: Any) -> Any:
    fields = {"name": "worker 0", "pid": 7, "alive": True, "age": 3.2, "log": Path("w.log")}
    return SimpleNamespace(**fields | changes, output=lambda: output)


def readiness(worker: Any, port: int, host: str = "127.0.0.1") -> tuple[Readiness, Clock]:
    clock = Clock()
    settings = Worker.model_construct(metrics_host=host)
    return Readiness([worker], Local(metrics_port=port), settings, clock), clock


def news(found: Readiness, clock: Clock) -> list[str]:
    clock.now += 1.0
    return list(found.news())


def test_a_worker_is_reported_once_it_is_ready_and_once(health: Health) -> None:
    found, clock = readiness(child(), health.port)
    assert [] == news(found, clock)
    health.body = {"ready": True}
    assert ["worker 0 is ready (3 s after its start)"] == news(found, clock)
    assert [] == news(found, clock)


def test_a_restarted_worker_is_reported_again(health: Health) -> None:
    health.body = {"ready": True}
    worker = child()
    found, clock = readiness(worker, health.port)
    news(found, clock)
    worker.alive = False
    assert [] == news(found, clock)
    worker.alive, worker.pid = True, 8
    assert ["worker 0 is ready again (3 s after its start)"] == news(found, clock)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "127.0.0.1"])
def test_a_worker_on_all_addresses_is_asked_on_loopback(health: Health, host: str) -> None:
    health.body = {"ready": True}
    found, clock = readiness(child(), health.port, host)
    assert 1 == len(news(found, clock))


def test_the_port_that_it_picked_is_in_its_log(health: Health) -> None:
    health.body = {"ready": True}
    log = f"INFO metrics at http://127.0.0.1:{health.port}/metrics, health at http://127.0.0.1:{health.port}/health"
    found, clock = readiness(child(log), 0)
    assert 1 == len(news(found, clock))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"ready": False, "reasons": ["no partitions are assigned"]}, "no partitions are assigned"),
        ({"ready": False, "state": "starting"}, "the worker is starting"),
        ({}, "it is loading"),
        ([], "it is loading"),
    ],
)
def test_why_a_worker_is_not_ready_is_reported_once_after_some_time(
    health: Health, body: Any, reason: str
) -> None:
    health.body = body if isinstance(body, dict) else {"ready": body}
    worker = child()
    found, clock = readiness(worker, health.port)
    assert [] == news(found, clock)
    worker.age = PATIENCE + 1
    expected = reason if isinstance(body, dict) else "the worker is starting"
    assert [f"worker 0 is not ready after 61 s: {expected} (log: w.log)"] == news(found, clock)
    assert [] == news(found, clock)


def test_a_worker_that_does_not_listen_yet_is_loading() -> None:
    found, clock = readiness(child(age=PATIENCE + 1), 0)
    assert ["worker 0 is not ready after 61 s: it is loading (log: w.log)"] == news(found, clock)


def test_workers_are_not_asked_all_the_time(health: Health) -> None:
    health.body = {"ready": True}
    found, clock = readiness(child(), health.port)
    clock.now = 0.5
    assert [] == list(found.news())
