"""aiokafka logs hundreds of lines per second while a broker is away: they must not bury our own."""

import logging

import pytest

from stream.runtime import logging as quiet_log
from stream.runtime.logging import Repeated


def heard(monkeypatch: pytest.MonkeyPatch, times: list[float], name: str) -> list[str]:
    filter_, out = Repeated(), []
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
