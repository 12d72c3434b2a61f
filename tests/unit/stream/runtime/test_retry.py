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
    assert "counting posts:3 continues after" in caplog.text


def test_anything_else_is_not_tried_again() -> None:
    tries = []

    async def action() -> None:
        tries.append(1)
        raise BrokenWorker("wrong password")

    with pytest.raises(BrokenWorker):
        asyncio.run(Backoff().persist("counting", action))
    assert 1 == len(tries)


def test_of_two_that_wait_under_one_name_the_first_to_go_on_leaves_the_other_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else /health and the watchdog would take the other for a worker that hangs."""
    monkeypatch.setattr(backoff, "FIRST", 0.001)

    async def run() -> list[dict[str, str]]:
        waits, passed = Backoff(), {"first": False, "second": False}

        async def action(who: str) -> None:
            if not passed[who]:
                raise PassingFault(f"{who} fault")

        tasks = {
            who: asyncio.create_task(waits.persist("checking", lambda w=who: action(w))) for who in passed
        }
        await asyncio.sleep(0.01)
        seen = []
        for who, task in tasks.items():
            passed[who] = True
            await task
            seen.append(waits.waiting)
        return seen

    assert [{"checking": "second fault"}, {}] == asyncio.run(run())


def test_who_is_cancelled_waits_no_more() -> None:
    async def run() -> dict[str, str]:
        waits = Backoff()

        async def action() -> None:
            raise PassingFault("Redis is away")

        task = asyncio.create_task(waits.persist("counting", action))
        await asyncio.sleep(0.01)
        assert {"counting": "Redis is away"} == waits.waiting
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return waits.waiting

    assert {} == asyncio.run(run())
