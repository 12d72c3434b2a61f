"""A connection to Redis, and what its errors mean to us.

A Redis that is away, loading, full or read-only is a PassingFault: whoever called waits and tries again. A
refused password or foreign data under our keys will not pass by itself: BrokenWorker. Knows none of our keys.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from stream.errors import BrokenWorker, PassingFault, SettingsError

CONNECT_TIMEOUT = 5.0
"""Seconds to reach Redis."""
ANSWER_TIMEOUT = 15.0
"""Seconds for one answer; longer than any script of ours may take."""
OLDEST = "6.2"
"""Least version of Redis: counters.lua needs `ZADD ... GT`."""

_REFUSED = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
_AWAY = (
    exceptions.ConnectionError,  # includes a Redis that still loads its data
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.MasterDownError,
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
    OSError,
)


def connect(url: str) -> Redis:
    """A client that connects at its first command. Raises SettingsError where `url` is none."""
    try:
        return Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=ANSWER_TIMEOUT,
            retry=Retry(
                NoBackoff(), 1
            ),  # one: a pooled connection may have died; more is the caller's backoff
        )
    except ValueError as error:
        raise SettingsError(f"bad setting 'redis.url': {error}") from None


def address(url: str) -> str:
    """`host:port` of a Redis URL, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or 6379}"


def is_too_old(version: str) -> bool:
    """Whether a version such as `6.0.16` is under OLDEST; one that cannot be read is taken."""
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return len(numbers) == 2 and numbers < [int(part) for part in OLDEST.split(".")]


async def check_version(url: str) -> None:
    """Raise SettingsError where the Redis at `url` is too old for us, PassingFault where it is away."""
    client = connect(url)
    try:
        with redis_faults(url):
            version = str((await client.info("server")).get("redis_version", ""))
    finally:
        await client.aclose()
    if is_too_old(version):
        raise SettingsError(f"Redis at {address(url)} is version {version}: {OLDEST} or newer is needed")


@contextmanager
def redis_faults(url: str) -> Iterator[None]:
    """Turn redis-py's errors into ours, naming the address."""
    try:
        yield
    except _REFUSED as error:
        raise BrokenWorker(f"Redis at {address(url)} refuses us: {error} (setting redis.url)") from error
    except _AWAY as error:
        raise PassingFault(f"Redis at {address(url)} is away: {_one_line(error)}") from error
    except exceptions.ResponseError as error:
        # MISCONF: Redis cannot save to disk and takes no writes until it can; redis-py has no class for it.
        if str(error).startswith("MISCONF"):
            raise PassingFault(f"Redis at {address(url)} takes no writes: {_one_line(error)}") from error
        raise BrokenWorker(f"Redis at {address(url)} failed: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
