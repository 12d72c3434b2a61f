"""The log of a worker: one line per event on stderr, with less output from libraries.

Faust and aiokafka log from warnings up, and repeated messages are suppressed: while a broker is down, aiokafka logs
each of its hundreds of attempts per second. A new broker has no group coordinator for a moment, which is an error only
if it lasts."""

import logging
import math
import time

from aiokafka.errors import GroupCoordinatorNotAvailableError

NOISY = ("faust", "mode", "aiokafka", "kafka", "aiohttp", "asyncio")
PAUSE = 5.0
"""Seconds in which the same message is not repeated."""
START_UP = 10.0
"""Seconds that Kafka may take to make a group coordinator available before it is logged."""


def set_up_log(level: str) -> None:
    """Log to stderr, from `level` up."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s", level=level.upper(), datefmt="%H:%M:%S", force=True
    )
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # it logs a rebalance as a warning; we log which partitions are assigned and revoked
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.ERROR)
    for handler in logging.getLogger().handlers:
        handler.addFilter(NoCoordinatorYet())
        handler.addFilter(RepeatFilter())


class NoCoordinatorYet(logging.Filter):
    """Passes aiokafka's error about a missing group coordinator once it has lasted for START_UP."""

    def __init__(self) -> None:
        super().__init__()
        self._since = self._last = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        if not any(isinstance(each, GroupCoordinatorNotAvailableError) for each in arguments):
            return True
        now = time.monotonic()
        if now - self._last > START_UP:
            self._since = now
        self._last = now
        return now - self._since >= START_UP


class RepeatFilter(logging.Filter):
    """Passes the same message of a noisy logger once per PAUSE, with the number of repeats since."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(NOISY):
            return True
        key, now = (record.name, record.msg), time.monotonic()
        since, swallowed = self._seen.get(key, (-PAUSE, 0))
        if now - since < PAUSE:
            self._seen[key] = since, swallowed + 1
            return False
        self._seen[key] = now, 0
        if swallowed:
            record.msg = f"{record.msg} (and {swallowed} times more since)"
        return True
