"""Two workers with the same `worker.instance_id`: one exits and says why, the other tags all posts."""

import os
import signal
from pathlib import Path

import pytest

from stream.config.settings import Settings
from tests.support.running_stack import ready
from tests.support.worker_processes import (
    LONG,
    WorkerProcess,
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

TAKEN = "bad setting 'worker.instance_id': another worker has joined the group with the same name"


@pytest.fixture
def named(settings: Settings) -> Settings:
    own = settings.worker.model_copy(update={"instance_id": "tagger-1"})
    return settings.model_copy(update={"worker": own})


def test_of_two_workers_of_one_name_the_first_exits(named: Settings, tmp_path: Path) -> None:
    kafka = named.kafka
    with workers(named, tmp_path, 0.0) as running:
        wait_until(lambda: ready(running[0]), LONG, "the first has joined")
        running.append(WorkerProcess(named, tmp_path))
        wait_until(lambda: not running[0].running, LONG, "the first exits")
        assert 2 == running[0].exit_code
        assert TAKEN in running[0].log.splitlines()[-1]
        assert "Traceback" not in running[0].log
        wait_until(lambda: ready(running[1]), LONG, "the second has joined")
        send(kafka, [post(n, f"in Rome{n}") for n in range(16)])
        wait_until(lambda: sum(committed(kafka).values()) == 16, LONG, "all is committed")
        assert running[1].running
        assert running[1].stop() < 10
    assert expected_totals(receipts(kafka)) == redis_totals(named)


def test_of_three_that_start_at_once_one_stays(named: Settings, tmp_path: Path) -> None:
    with workers(named, tmp_path, 0.0, 0.0, 0.0) as running:
        wait_until(lambda: sum(worker.running for worker in running) == 1, LONG, "two exit")
        (left,) = (worker for worker in running if worker.running)
        gone = [worker for worker in running if worker is not left]
        assert [2, 2] == [worker.exit_code for worker in gone]
        assert all(TAKEN in worker.log.splitlines()[-1] for worker in gone)
        wait_until(lambda: ready(left), LONG, "the last has joined")
        assert left.stop() < 10


def test_a_worker_that_was_only_paused_joins_again(named: Settings, tmp_path: Path) -> None:
    with workers(named, tmp_path, 0.0) as running:
        wait_until(lambda: ready(running[0]), LONG, "it has joined")
        os.kill(running[0].pid, signal.SIGSTOP)
        wait_until(lambda: _members(named) == 0, LONG, "the group has forgotten it")
        os.kill(running[0].pid, signal.SIGCONT)
        send(named.kafka, [post(n, "in Rome") for n in range(8)])
        wait_until(lambda: sum(committed(named.kafka).values()) == 8, LONG, "all is committed")
        assert running[0].stop() < 10


def _members(settings: Settings) -> int:
    from stream.consumer.group import members

    return members(settings.kafka)
