"""Only passing faults are tried again, and each is named in the log."""

import asyncio
import logging

import pytest

from stream.errors import BrokenWorker, PassingFault
from stream.runtime import retry as backoff
from stream.runtime.retry import Backoff


def test_tries_until_the_fault_has_passed_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.001)
    faults = [PassingFault("Redis is away")] * 3
    waits, seen = Backoff(), []

    async def action() -> str:
        seen.append(dict(waits.waiting))
        if faults:
            raise faults.pop()
        return "counted"

    with caplog.at_level(logging.WARNING):
        assert "counted" == asyncio.run(waits.persist("counting posts:3", action))
    assert [{}, *[{"counting posts:3": "Redis is away"}] * 3] == seen
    assert {} == waits.waiting
    assert 3 == caplog.text.count("Redis is away")
    assert "counting posts:3 goes on after" in caplog.text


def test_anything_else_is_not_tried_again() -> None:
    tries = []

    async def action() -> None:
        tries.append(1)
        raise BrokenWorker("wrong password")

    with pytest.raises(BrokenWorker):
        asyncio.run(Backoff().persist("counting", action))
    assert 1 == len(tries)
