"""Which versions of Redis are too old, and which of its errors pass; the rest is met in tests/integration."""

import pytest
from redis import exceptions

from stream.connections.redis_client import is_too_old, redis_faults
from stream.errors import AccessDenied, BrokenWorker, PassingFault, SettingsError


@pytest.mark.parametrize(
    ("version", "too_old"),
    [
        ("5.0.14", True),
        ("6.0.16", True),
        ("6.2.0", False),
        ("7.0.15", False),
        ("10.1", False),
        ("dev", False),
    ],
)
def test_versions_before_6_2_are_too_old(version: str, too_old: bool) -> None:
    assert too_old == is_too_old(version)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (exceptions.ConnectionError("refused"), PassingFault),
        (exceptions.BusyLoadingError("loading the dataset"), PassingFault),
        (exceptions.TimeoutError("no answer"), PassingFault),
        (exceptions.OutOfMemoryError("used memory > 'maxmemory'"), PassingFault),
        (exceptions.ReadOnlyError("a replica"), PassingFault),
        (exceptions.ResponseError("MISCONF Redis cannot write to the append-only file"), PassingFault),
        (exceptions.ResponseError("WRONGTYPE"), BrokenWorker),
        (exceptions.MovedError("7825 127.0.0.1:27301"), SettingsError),
        (exceptions.AskError("7825 127.0.0.1:27301"), PassingFault),
        (exceptions.ClusterDownError("The cluster is down"), PassingFault),
        (exceptions.ResponseError("DB index is out of range"), SettingsError),
        (exceptions.ResponseError("SELECT is not allowed in cluster mode"), SettingsError),
        (exceptions.ResponseError("unknown command 'HGETALL', with args beginning with:"), SettingsError),
        (exceptions.NoPermissionError("this user has no permissions"), AccessDenied),
    ],
)
def test_what_passes_by_waiting_and_what_does_not(error: Exception, meaning: type[Exception]) -> None:
    """MISCONF is a full disk: redis-py has no class of its own for it."""
    with pytest.raises(meaning), redis_faults("redis://127.0.0.1:6379/0"):
        raise error
