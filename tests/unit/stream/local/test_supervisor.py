"""When a service is started again, when no more, and which settings a worker gets."""

from pathlib import Path

import pytest

from stream.config.kafka import Kafka
from stream.config.loading import load_settings
from stream.config.local import Local
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.errors import BrokenWorker, PassingFault
from stream.local.supervisor import Supervised, environment, worker_children


class Service:
    """A service whose life the test decides."""

    name = "service"

    def __init__(self) -> None:
        self.alive, self.age, self.exit_code, self.starts = True, 0.0, 1, 0

    def start(self) -> None:
        self.alive, self.starts = True, self.starts + 1

    def why_it_ended(self) -> str:
        return "service ended: no luck"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def supervised() -> tuple[Service, Clock, Supervised, list[str]]:
    service, clock, said = Service(), Clock(), list[str]()
    return service, clock, Supervised(service, said.append, clock), said


def test_what_ended_is_started_again_after_a_pause() -> None:
    service, clock, watch, said = supervised()
    service.alive = False
    watch.look()
    clock.now += 0.9
    watch.look()
    assert 0 == service.starts
    clock.now += 0.1
    watch.look()
    assert 1 == service.starts
    assert ["service ended: no luck; restarting in 1 s"] == said


def test_the_third_quick_end_in_a_row_is_the_last() -> None:
    service, clock, watch, said = supervised()
    for _ in range(2):
        service.alive = False
        watch.look()
        clock.now += 10.0
        watch.look()
    service.alive = False
    with pytest.raises(BrokenWorker, match=r"service ended: no luck; it exited 3 times in a row"):
        watch.look()
    assert ["1 s", "2 s"] == [line[-3:] for line in said]


@pytest.mark.parametrize("exit_code", [-9, -11, 75])
def test_what_may_have_died_of_a_post_is_started_more_often(exit_code: int) -> None:
    """Three deaths are what the journal needs to find the post: giving up then would be too early."""
    service, clock, watch, said = supervised()
    service.exit_code = exit_code
    for _ in range(7):
        service.alive = False
        watch.look()
        clock.now += 20.0
        watch.look()
    assert 7 == service.starts
    service.alive = False
    with pytest.raises(BrokenWorker, match="8 times in a row"):
        watch.look()
    assert "16 s" == said[-1][-4:]


def test_a_worker_that_finds_kafka_away_is_started_until_it_is_back() -> None:
    """A worker that has to start while the broker is away for a minute ends at once, each time."""
    service, clock, watch, _ = supervised()
    service.exit_code = PassingFault.exit_code
    for _ in range(30):
        service.alive = False
        watch.look()
        clock.now += 20.0
        watch.look()
    assert 30 == service.starts


def test_ends_after_a_long_life_are_no_reason_to_give_up() -> None:
    service, clock, watch, _ = supervised()
    service.age = 3600.0
    for _ in range(5):
        service.alive = False
        watch.look()
        clock.now += 10.0
        watch.look()
    assert 5 == service.starts


def test_a_bad_setting_is_not_tried_again() -> None:
    service, _, watch, _ = supervised()
    service.alive, service.exit_code = False, 2
    with pytest.raises(BrokenWorker, match="service ended: no luck; not restarting it"):
        watch.look()


def test_a_worker_has_the_settings_of_its_supervisor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And none besides: the variables and the file that the supervisor read are merged into them already."""
    monkeypatch.setenv("TRIMOD_KAFKA__PARTITIONS", "99")
    monkeypatch.setenv("TRIMOD_CONFIG", "/nowhere")
    settings = Settings(
        kafka=Kafka(group="g", session_timeout=3.0),
        worker=Worker(images_root=tmp_path),
        local=Local(workers=3),
    )
    assert settings == load_settings(environ=environment(settings))
    assert settings.model_copy(update={"worker": Worker()}) == load_settings(
        environ=environment(settings.model_copy(update={"worker": Worker()}))
    )


def test_workers_differ_in_name_port_and_log() -> None:
    children = worker_children(Settings(local=Local(metrics_port=7000)), 2)
    own = [load_settings(environ=child.environ).worker for child in children]
    assert ["local-0", "local-1"] == [worker.instance_id for worker in own]
    assert [7000, 7001] == [worker.metrics_port for worker in own]
    assert ["worker-0.log", "worker-1.log"] == [child.log.name for child in children]


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    children = worker_children(Settings(), 3)
    assert 2 == load_settings(environ=children[0].environ).worker.threads
    chosen = worker_children(Settings(worker=Worker(threads=5)), 3)
    assert 5 == load_settings(environ=chosen[0].environ).worker.threads
