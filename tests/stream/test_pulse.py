"""The pulse finds out what the Kafka client tells nobody."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from stream.backoff import Backoff
from stream.errors import BrokenWorker
from stream.pulse import Pulse


def test_an_error_of_the_client_that_no_fetch_raises_ends_the_worker() -> None:
    """It waits for somebody to hear of it; without partitions, nobody fetches, and it would wait for ever."""
    offsets: Any = SimpleNamespace(has_left=False, error=ValueError("no assignment"))
    other: Any = None
    pulse = Pulse(other, {}, offsets, other, other, Backoff(), lambda: True)
    with pytest.raises(BrokenWorker, match="cannot join the group: ValueError"):
        asyncio.run(asyncio.wait_for(pulse.beat(), 5))
