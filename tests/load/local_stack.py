"""A Kafka, a Redis and two workers as `trimod up` starts them, with small caches, for as long as a context lasts.

The caches are small so that they are full, and forget, long before the end: what still grows then is a leak. The
workers are tests/load/worker.py, which differs from `trimod worker` in where it may fetch pictures from.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from stream.config.images import Fetch
from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.local.process import Child
from stream.local.stack import LocalStack, free_port
from stream.local.supervisor import worker_children
from tests.load.traffic.images import URL_HOST, serving_pictures

SCRIPT = Path(__file__).with_name("worker.py")
WORKERS = 2
READY = 240.0
"""Seconds at most until all workers have partitions; two that load a model on a busy machine need some."""
STOP = 15.0
"""Seconds that a worker has to end in order."""

Say = Callable[[str], None]


class Running:
    """The parts while they run."""

    def __init__(self, stack: LocalStack, workers: Sequence[Child], port: int) -> None:
        self.stack, self.workers, self.picture_port = stack, workers, port

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    def get(self, worker: int, path: str) -> str:
        """What this worker's HTTP server answers at `path`. RuntimeError where it has ended."""
        url = f"http://127.0.0.1:{self.settings.local.metrics_port + worker}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                body: bytes = answer.read()
        except urllib.error.HTTPError as error:  # 503 says why in its body
            body = error.read()
        except OSError:
            self.check()  # one that has ended is better quoted
            raise
        return body.decode()

    def metrics(self, worker: int, *names: str) -> dict[str, Counter[str]]:
        """Name -> value of its first label -> value, of each of these gauges."""
        found: dict[str, Counter[str]] = {name: Counter() for name in names}
        for family in text_string_to_metric_families(self.get(worker, "/metrics")):
            for sample in family.samples if family.name in found else ():
                found[family.name][next(iter(sample.labels.values()), "")] = int(sample.value)
        return found

    def health(self, worker: int) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.get(worker, "/health"))
        return found

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY
        while not all(self._ready(number) for number in range(len(self.workers))):
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"the workers are not ready within {READY:.0f} s")
            time.sleep(0.5)

    def check(self) -> None:
        """Raise where a worker has ended."""
        for worker in self.workers:
            if not worker.alive:
                raise RuntimeError(worker.why_it_ended())

    def stop_workers(self) -> None:
        """In order; raises where one does not end so."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.stop(STOP)
        bad = [worker.why_it_ended() for worker in self.workers if worker.exit_code != 0]
        if bad:
            raise RuntimeError("; ".join(bad))

    def _ready(self, worker: int) -> bool:
        try:
            return bool(self.health(worker)["ready"])
        except OSError:
            return False


@contextmanager
def running(
    directory: Path, say: Say, arguments: Callable[[int], Sequence[str]], **worker: object
) -> Iterator[Running]:
    """The parts in `directory`, ready; all are gone at the end. `arguments(number)` are those of tests/load/worker.py
    after the port; `worker` are settings of that section."""
    with serving_pictures() as port:
        stack = LocalStack(_settings(directory, worker))
        stack.start(say)
        children = [
            _child(each, port, arguments(number))
            for number, each in enumerate(worker_children(stack.settings, WORKERS))
        ]
        try:
            say("starting two workers")
            for child in children:
                child.start()
            here = Running(stack, children, port)
            here.wait_until_ready()
            yield here
        finally:
            for child in children:
                child.kill()
            stack.stop()


def _child(child: Child, port: int, arguments: Sequence[str]) -> Child:
    command = (sys.executable, str(SCRIPT), str(port), *arguments)
    return Child(child.name, command, child.log, child.environ)


def _settings(directory: Path, worker: dict[str, object]) -> Settings:
    return Settings(
        kafka=Kafka(session_timeout=6.0),
        worker=Worker.model_validate(
            {"device": "cpu", "threads": 1, "languages": "*", "image_cache": 256, **worker}
        ),
        fetch=Fetch(hosts=(URL_HOST,), allow_http=True, cache=64),
        local=Local(
            directory=directory,
            kafka_port=free_port(consecutive=2),
            redis_port=free_port(),
            metrics_port=free_port(consecutive=WORKERS),
        ),
    )
