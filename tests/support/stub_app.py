"""What a worker needs of a faust.App, without Faust: signals, and a consumer that is never started."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any


class Signal:
    """Faust's, with one receiver."""

    def connect(self, receiver: Callable[..., Awaitable[None]]) -> None:
        self.send = receiver


class StubApp:
    consumer_generation_id = 1

    def __init__(self) -> None:
        self.consumer = SimpleNamespace(_thread=SimpleNamespace(_create_consumer=None, _fetch_records=None))
        self.on_partitions_assigned: Any = Signal()
        self.on_partitions_revoked: Any = Signal()
