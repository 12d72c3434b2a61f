"""aiokafka logs hundreds of lines per second while a broker is away: they must not bury our own."""

import logging

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, NoBrokersAvailable

from stream.runtime import logging as quiet_log
from stream.runtime.logging import NoCoordinatorYet, RepeatFilter


def heard(monkeypatch: pytest.MonkeyPatch, times: list[float], name: str) -> list[str]:
    filter_, out = RepeatFilter(), []
    for time in times:
        monkeypatch.setattr(quiet_log.time, "monotonic", lambda time=time: time)
        record = logging.LogRecord(name, logging.ERROR, "", 0, "no %s", ("broker",), None)
        if filter_.filter(record):
            out.append(record.getMessage())
    return out


def test_a_repeated_complaint_is_heard_once_in_a_while_with_its_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ["no broker", "no broker (and 2 times more since)"] == heard(
        monkeypatch, [100, 101, 102, 106], "aiokafka.conn"
    )


def test_our_own_lines_are_never_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ["no broker"] * 3 == heard(monkeypatch, [100, 100, 100], "trimod.worker")


@pytest.mark.parametrize(
    ("error", "times", "expected"),
    [
        (GroupCoordinatorNotAvailableError(), [100, 100.1, 103], []),
        (GroupCoordinatorNotAvailableError(), [100, 104, 109, 110, 112, 115], [110, 115]),
        (GroupCoordinatorNotAvailableError(), [100, 109, 200, 209], []),  # Kafka was started twice
        (NoBrokersAvailable(), [100, 101, 105], [100, 105]),
    ],
)
def test_a_group_coordinator_that_is_not_there_is_an_error_once_that_lasts(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError, times: list[float], expected: list[float]
) -> None:
    """A new broker makes it for the first worker that asks, which was an ERROR in a normal start's log."""
    filters, heard = (NoCoordinatorYet(), RepeatFilter()), []
    for time in times:
        monkeypatch.setattr(quiet_log.time, "monotonic", lambda time=time: time)
        message = "Group Coordinator Request failed: %s"
        name = "aiokafka.consumer.group_coordinator"
        record = logging.LogRecord(name, logging.ERROR, "", 0, message, (error,), None)
        if all(each.filter(record) for each in filters):
            heard.append(time)
    assert expected == heard
