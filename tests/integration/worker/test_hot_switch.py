"""Another model under load, twenty times: no post fails, and every record names the model that made it.

Real checkpoints, the real command's code, a real Kafka and Redis; and checkpoints that must be refused. How long a
switch holds up batches is measured by tests/load/model_switches.py; that no batch mixes two, by test_model_switch.py.
"""

import json
import re
from pathlib import Path

import pytest

from models.checkpoints.promotion import point
from models.inference.tagger import Tagger
from stream.config.settings import Settings
from tests.support.running_stack import steady_posts
from tests.support.tiny_checkpoint import tiny_checkpoint
from tests.support.worker_processes import (
    RealWorker,
    WorkerProcess,
    committed,
    gone_at_last,
    post,
    read_all,
    receipts,
    send,
    wait_until,
)
from tests.unit.models.inference.test_all_architectures_served import checkpoint

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

START = 200
"""Seconds that a worker with a real model may take until it is assigned its partitions, on a busy machine."""
SWITCHES = 20


def model_of(worker: WorkerProcess) -> str:
    version: str = json.loads(worker.get("/health"))["version"]
    return version


def test_twenty_switches_under_load(settings: Settings, tmp_path: Path) -> None:
    checkpoints = [tiny_checkpoint(tmp_path / name, seed) for name, seed in (("one", 7), ("two", 8))]
    versions = [Tagger.load(each, "cpu").version for each in checkpoints]
    pointer = tmp_path / "current"
    point(pointer, checkpoints[0])
    own = settings.worker.model_copy(update={"checkpoint": pointer})
    settings = settings.model_copy(update={"worker": own})
    with gone_at_last([RealWorker(settings, tmp_path)]) as (worker,):
        wait_until(lambda: "assigned partitions" in worker.log or not worker.running, START, "it starts")
        with steady_posts(settings) as sent:
            wait_until(lambda: len(receipts(settings.kafka)) > 0, 60, "it tags")
            for number in range(1, SWITCHES + 1):
                point(pointer, checkpoints[number % 2])
                log = f"switched from {versions[(number - 1) % 2]} to {versions[number % 2]}"
                wanted = (number + 1) // 2
                wait_until(lambda: worker.log.count(log) == wanted, 60, f"switch {number}")  # noqa: B023
            assert versions[0] == model_of(worker)
        wait_until(lambda: sum(committed(settings.kafka).values()) == sent[0], 60, "all is committed")
        longest = longest_pass_of_the_tagger(worker.get("/metrics"))
        assert worker.stop() < 10
    found = receipts(settings.kafka)
    assert sent[0] == len({receipt.post_id for receipt in found})
    assert [] == read_all(settings.kafka, settings.kafka.dead_topic)
    assert set(versions) == {receipt.model_version for receipt in found}
    named = {(receipt.post_id, receipt.model_version) for receipt in found}
    events = [json.loads(value) for value in values(settings)]
    assert {(event["post_id"], event["model_version"]) for event in events} <= named
    print(f"{SWITCHES} switches, {sent[0]} posts, tagging took at most {longest} s a batch")


def longest_pass_of_the_tagger(metrics: str) -> float:
    """Upper bound, in seconds, of the slowest pass of the stage `tag`, from its histogram."""
    rows = re.findall(r'trimod_stage_seconds_bucket\{le="([^"]+)",stage="tag"\} ([\d.]+)', metrics)
    total = max(float(count) for _, count in rows)
    return min(float(bound) for bound, count in rows if float(count) == total)


def values(settings: Settings) -> list[bytes]:
    return [record.value for record in read_all(settings.kafka, settings.kafka.entities_topic)]


def test_what_cannot_be_trusted_is_refused_and_the_old_one_stays(settings: Settings, tmp_path: Path) -> None:
    good, bad = tiny_checkpoint(tmp_path / "good"), tiny_checkpoint(tmp_path / "bad", 8)
    weights = bad / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    pointer = tmp_path / "current"
    point(pointer, good)
    own = settings.worker.model_copy(update={"checkpoint": pointer})
    settings = settings.model_copy(update={"worker": own})
    with gone_at_last([RealWorker(settings, tmp_path)]) as (worker,):
        wait_until(lambda: "assigned partitions" in worker.log or not worker.running, START, "it starts")
        version = model_of(worker)
        point(pointer, bad)
        wait_until(lambda: "promoted checkpoint rejected" in worker.log, 30, "it is rejected")
        health = json.loads(worker.get("/health"))
        assert "model.safetensors is damaged" in health["checkpoint"]
        assert (version, True) == (health["version"], health["live"])
        assert 'trimod_model_switches_total{outcome="refused"} 1.0' in worker.get("/metrics")
        send(settings.kafka, [post(n, "Toronto") for n in range(8)])
        wait_until(lambda: 8 == len(receipts(settings.kafka)), 30, "it goes on tagging")
        point(pointer, good)
        wait_until(
            lambda: json.loads(worker.get("/health"))["checkpoint"] == "as promoted", 30, "it is mended"
        )
        assert worker.stop() < 10
    assert {version} == {receipt.model_version for receipt in receipts(settings.kafka)}


def test_every_papers_model_is_served_by_its_path_alone(settings: Settings, tmp_path: Path) -> None:
    """One worker, and nothing but the checkpoint changes: each tags as its Tagger does in this process."""
    text, pointer = "Toronto Maple Leafs won in Riga #hockey", tmp_path / "current"
    paths = {name: checkpoint(tmp_path / name, name) for name in ("trimod", "cwi", "hsn", "hamlearning")}
    taggers = {name: Tagger.load(path, "cpu") for name, path in paths.items()}
    point(pointer, paths["trimod"])
    own = settings.worker.model_copy(update={"checkpoint": pointer, "engine": "exact"})
    settings = settings.model_copy(update={"worker": own})
    with gone_at_last([RealWorker(settings, tmp_path)]) as (worker,):
        wait_until(lambda: "assigned partitions" in worker.log or not worker.running, START, "it starts")
        for number, (name, tagger) in enumerate(taggers.items()):
            point(pointer, paths[name])
            wait_until(lambda: model_of(worker) == tagger.version, 60, f"{name} is loaded")  # noqa: B023
            send(settings.kafka, [post(number, text)], number)
            wait_until(lambda: len(receipts(settings.kafka)) > number, 60, f"{name} tags")  # noqa: B023
        assert worker.stop() < 10
    events = [json.loads(value) for value in values(settings)]
    for tagger in taggers.values():
        expected = [(m.start, m.end, m.type) for m in tagger.tag([text])[0]]
        found = [(e["start"], e["end"], e["type"]) for e in events if e["model_version"] == tagger.version]
        assert sorted(expected) == sorted(found)
        assert expected
