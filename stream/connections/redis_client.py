"""A connection to Redis, and the meaning of its errors.

If Redis is unavailable, loading, full or read-only, this is a PassingFault: the caller waits and retries. A refused
password or certificate (AccessDenied), or foreign data under our keys (BrokenWorker), needs a fix. This file knows no
keys.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from models.core.errors import one_line
from stream.config.redis import Redis as RedisSettings
from stream.connections.credentials import secret
from stream.connections.tls import tls_context, tls_link, why_refused
from stream.errors import AccessDenied, BrokenWorker, PassingFault, SettingsError

CONNECT_TIMEOUT = 5.0
"""Seconds to reach Redis."""
ANSWER_TIMEOUT = 15.0
"""Seconds for one answer; longer than any of our scripts may take."""
OLDEST = "6.2"
"""Oldest supported version of Redis: count.lua needs `ZADD ... GT`."""

MASTER = "set the address of the master that it watches, or of a name or proxy that leads to it"

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


class _TlsConnection(SSLConnection):
    """TLS with the same context as Kafka's clients: redis-py's own would also trust the system's authorities."""

    def __init__(self, *, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = context


def connect(settings: RedisSettings) -> Redis:
    """A client that connects at its first command. Raises SettingsError if a file in the settings is invalid."""
    options: dict[str, Any] = {**parse_url(settings.url)}
    if "connection_class" in options:  # rediss://
        options |= {"connection_class": _TlsConnection, "context": tls_context(settings)}
    pool = ConnectionPool(
        **options,
        username=settings.username or None,
        password=secret(settings, "password") or None,
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=ANSWER_TIMEOUT,
        retry=Retry(NoBackoff(), 1),  # one: a pooled connection may have died; more is the caller's backoff
    )
    return Redis.from_pool(pool)


def address(url: str) -> str:
    """`host:port` of a Redis URL, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or 6379}"


def is_too_old(version: str) -> bool:
    """Whether a version such as `6.0.16` is older than OLDEST; unreadable versions are accepted."""
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return len(numbers) == 2 and numbers < [int(part) for part in OLDEST.split(".")]


async def check_version(settings: RedisSettings) -> None:
    """Raise SettingsError if Redis is too old, a Sentinel, or a cluster node without our keys. Raise AccessDenied if it
    refuses access, PassingFault if it is unavailable."""
    await asyncio.to_thread(_check_tls, settings)
    url, client = settings.url, connect(settings)
    try:
        with redis_faults(url):
            server = await client.info("server")
            version = str(server.get("redis_version", ""))
            if server.get("redis_mode") == "sentinel":
                raise SettingsError(f"bad setting 'redis.url': {address(url)} is a Sentinel: {MASTER}")
            await client.exists(f"{{{settings.prefix}}}:any")
    finally:
        await client.aclose()
    if is_too_old(version):
        raise SettingsError(f"Redis at {address(url)} is version {version}: {OLDEST} or newer is needed")


def _check_tls(settings: RedisSettings) -> None:
    """Raise AccessDenied if one side refuses the other; the client notices an unavailable Redis."""
    parts = urlsplit(settings.url)
    if parts.scheme == "rediss":
        try:
            with tls_link(parts.hostname or "", parts.port or 6379, tls_context(settings)):
                pass
        except ssl.SSLError as error:
            if why := why_refused(error):
                raise _refused(settings.url, why) from None
        except OSError:
            pass


def _refused(url: str, why: str) -> AccessDenied:
    keys = "redis.url, redis.ca_file, redis.certificate_file"
    return AccessDenied(f"no secured link to Redis at {address(url)}: {why} ({keys})")


@contextmanager
def redis_faults(url: str) -> Iterator[None]:
    """Turn redis-py's errors into ours, with the address."""
    try:
        yield
    except _REFUSED as error:
        keys = "redis.username, redis.password"
        raise AccessDenied(f"Redis at {address(url)} refuses access: {one_line(error)} ({keys})") from error
    except _AWAY as error:
        if why := why_refused(error):
            raise _refused(url, why) from error
        raise PassingFault(f"Redis at {address(url)} is away: {one_line(error)}") from error
    except exceptions.MovedError as error:
        raise SettingsError(
            f"bad setting 'redis.url': {address(url)} is a node of a Redis Cluster that does not have our keys "
            f"(hash slot {error.slot_id}, from redis.prefix). Set it to the node that has them, now "
            f"{error.host}:{error.port}"
        ) from error
    except exceptions.AskError as error:
        raise PassingFault(
            f"Redis at {address(url)} is moving our keys to another node: ASK {error}"
        ) from error
    except exceptions.ResponseError as error:
        # MISCONF: Redis cannot save to disk and takes no writes until it can; redis-py has no class for it.
        if str(error).startswith("MISCONF"):
            raise PassingFault(f"Redis at {address(url)} accepts no writes: {one_line(error)}") from error
        if why := _wrong_address(str(error)):
            raise SettingsError(
                f"bad setting 'redis.url': {address(url)}: {one_line(error)} ({why})"
            ) from error
        raise BrokenWorker(f"Redis at {address(url)} failed: {one_line(error)}") from error


def _wrong_address(message: str) -> str:
    """What an error says about redis.url; empty if nothing."""
    if "DB index" in message:
        return "it does not have this database"
    if "SELECT is not allowed in cluster mode" in message:
        return "a Redis Cluster has only database 0"
    if "unknown command" in message:
        return f"Redis {OLDEST} or newer is needed; of a Sentinel, {MASTER}"
    return ""
