"""Posts with images by URL through a real worker: pictures count, what fails costs nothing, order is kept."""

import base64
import http.server
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.config.images import Fetch
from stream.config.settings import Settings
from stream.messages.events import EntityEvent
from tests.support.image_servers import INSIDE, OUTSIDE, png
from tests.support.worker_processes import (
    WorkerProcess,
    gone_at_last,
    post,
    read_all,
    receipts,
    send,
    wait_until,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).parents[2] / "support" / "worker_local_images_main.py"
KINDS = ("blue.png", "none", "gone", "hang", "inside", "evil", "data and blue.png")
PER_KIND = 6
RELEASED = threading.Event()
"""The end of a request that hangs."""


class LocalImagesWorker(WorkerProcess):
    def __init__(self, settings: Settings, directory: Path, port: int) -> None:
        self._log = directory / "worker.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(SCRIPT), settings.model_dump_json(), str(port)],
                stdout=log, stderr=log, env=os.environ,
            )  # fmt: skip


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind = self.path[1:].partition("?")[0]
        if kind == "hang":
            RELEASED.wait()
            self.close_connection = True
            return
        body = png("blue")
        self.send_response({"gone": 404, "inside": 302}.get(kind, 200))
        self.send_header("Location", f"http://{INSIDE}:{self.server.server_address[1]}/blue.png")
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Inside(Handler):
    """Plays our own network; nobody may knock."""

    requests = 0

    def do_GET(self) -> None:
        Inside.requests += 1
        super().do_GET()


@pytest.fixture
def port() -> Iterator[int]:
    """Of an image server outside, and of one inside on the same port."""
    outside = http.server.ThreadingHTTPServer((OUTSIDE, 0), Handler)
    inside = http.server.ThreadingHTTPServer((INSIDE, outside.server_address[1]), Inside)
    servers = (outside, inside)
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    RELEASED.clear()
    yield outside.server_address[1]
    RELEASED.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def kind_of(number: int) -> str:
    """Each partition (number modulo 8) gets all kinds in turn: quick posts stand behind slow ones."""
    return KINDS[(number % 8 + number // 8) % len(KINDS)]


def post_of(number: int, port: int) -> bytes:
    kind = kind_of(number)
    host = "evil.test" if kind == "evil" else "images.test"
    url = {"url": f"http://{host}:{port}/{kind.split()[-1]}?{number}"}
    red = {"data": base64.b64encode(png("red")).decode()}
    images = {"none": [], "data and blue.png": [red, url]}.get(kind, [url])
    return post(number, f"so Paris{number} is here", images=images)


def metric(worker: WorkerProcess, name: str, *labels: str) -> dict[tuple[str, ...], int]:
    """Its counters of this name by the values of these labels."""
    if "/metrics" not in worker.log:
        return {}
    return {
        tuple(sample.labels[label] for label in labels): int(sample.value)
        for family in text_string_to_metric_families(worker.get("/metrics"))
        for sample in family.samples
        if sample.name == name
    }


def tagged_by(worker: WorkerProcess) -> int:
    return metric(worker, "trimod_posts_total", "outcome").get(("tagged",), 0)


def test_pictures_by_url_count_and_what_fails_costs_nothing(
    settings: Settings, tmp_path: Path, port: int
) -> None:
    fetch = Fetch(
        hosts=("images.test", INSIDE),
        allow_http=True,
        seconds_per_post=15,  # so that only those that hang are late, however busy the machine is
    )
    here = settings.model_copy(update={"fetch": fetch})
    count = PER_KIND * len(KINDS)
    send(settings.kafka, [post_of(number, port) for number in range(count)])
    with gone_at_last([LocalImagesWorker(here, tmp_path, port)]) as (worker,):
        wait_until(lambda: tagged_by(worker) >= count or not worker.running, 150, "all posts are tagged")
        assert worker.running
        assert metric(worker, "trimod_images_total", "outcome", "reason") == {
            ("used", ""): 3 * PER_KIND,
            ("broken", "status"): PER_KIND,
            ("broken", "timeout"): PER_KIND,
            ("broken", "address refused"): PER_KIND,
            ("skipped", "host not allowed"): PER_KIND,
        }
        worker.stop()
    assert 0 == Inside.requests
    check_receipts(settings, count)
    check_weights(settings, count)


def check_receipts(settings: Settings, count: int) -> None:
    offsets = defaultdict(list)
    for receipt in receipts(settings.kafka):
        offsets[receipt.origin.partition].append(receipt.origin.offset)
    assert {p: list(range(len(range(p, count, 8)))) for p in range(8)} == offsets


def check_weights(settings: Settings, count: int) -> None:
    """What the tagger saw of each post: one blue picture, a red one beside it, or none."""
    seen: dict[str, Counter[tuple[float, float]]] = defaultdict(Counter)
    for record in read_all(settings.kafka, settings.kafka.entities_topic):
        event = EntityEvent.model_validate_json(record.value)
        kind = kind_of(int(event.post_id[1:]))
        seen[kind][event.weights["pictures"], event.weights["blue"]] += 1
    none = {kind: {(0, 0): PER_KIND} for kind in ("none", "gone", "hang", "inside", "evil")}
    assert none | {"blue.png": {(1, 1): PER_KIND}, "data and blue.png": {(2, 1): PER_KIND}} == seen
