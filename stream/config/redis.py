"""Settings of Redis: address, login, keys, and how long counts are kept."""

from typing import Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import Field, model_validator

from stream.config.base import Section, bad
from stream.config.secured import TLS_KEYS, Secured, check_secrets, only_with
from stream.errors import SettingsError

_CLUSTER = (
    "All keys of redis.prefix are in one hash slot. "
    "For a Redis Cluster, set redis://host:port/0 of the node that has this slot"
)
_OTHERS = {
    "sentinel": (
        "Sentinel URLs are not supported. Set redis://host:port/db of a name or proxy that leads to the current "
        "master, such as HAProxy or a Kubernetes service"
    ),
    "cluster": f"cluster URLs are not supported. {_CLUSTER}",
    "unix": "Unix sockets are not supported. Set redis://host:port/db",
    "valkey": "for Valkey, write redis:// or rediss://",
}
"""What other schemes contain, and what to do."""


def _redis_parts(url: str) -> SplitResult:
    """No word of the URL is repeated in an error: a password that is not percent-encoded may be anywhere in it."""
    try:
        parts = urlsplit(url)
        database = parts.path.strip("/")
        whole = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
        if whole and not parts.query and not parts.fragment and (not database or database.isdecimal()):
            return parts
    except ValueError:  # no port, no address
        pass
    for kind, what in _OTHERS.items():
        if kind in url.partition(":")[0].lower():
            raise SettingsError(f"bad setting 'redis.url': {what}")
    if "," in url:
        raise SettingsError("bad setting 'redis.url': expected one address, got several. " + _CLUSTER)
    raise SettingsError(
        "bad setting 'redis.url': expected redis://host:port/db or rediss://host:port/db, without options "
        "(redis.username and redis.password take any characters; in the URL, percent-encode them)"
    )


def split_redis_url(values: Any) -> Any:
    """The fields of [redis] with user and password taken out of the URL, which is logged and named in errors."""
    if not isinstance(values, dict) or not isinstance(values.get("url"), str):
        return values
    parts = _redis_parts(values["url"])
    login = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    login = {key: value for key, value in login.items() if value}
    if twice := [key for key in login if values.get(key)]:
        raise SettingsError(f"bad setting 'redis.{twice[0]}': redis.url contains it too: remove one of them")
    return values | {"url": parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()} | login


class Address(Section):
    """The field before the login."""

    url: str = "redis://127.0.0.1:6379/0"
    """`redis://host:port/db`, or `rediss://` for TLS. `user:password@` is moved to the settings below. Sentinel URLs
    are rejected. Of a Redis Cluster, give the node that has the hash slot of redis.prefix."""


class Redis(Secured, Address):
    username: str = ""
    """Name of an ACL user; empty for Redis's default user."""
    prefix: str = Field("trimod", pattern=r"^[^{}\s]+$")
    """Hash tag of all keys: `{prefix}:...`."""
    dedup_window: float = Field(600.0, ge=0.0)
    """Seconds in which a repeated post id is not counted again. The same post sent later counts twice: set more if your
    sources repeat posts later. Redis keeps the ids of all posts in this period."""
    keep_minutes: float = Field(3 * 3600.0, gt=0)
    """Seconds after the last write until the counts of a minute expire."""
    keep_hours: float = Field(8 * 86400.0, gt=0)
    """Seconds after the last write until the counts of an hour expire."""
    keep_days: float = Field(400 * 86400.0, gt=0)
    """Seconds after the last write until the counts of a day expire."""

    @model_validator(mode="before")
    @classmethod
    def _split_url(cls, values: Any) -> Any:
        return split_redis_url(values)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_redis(self)
        return self


def check_redis(redis: Redis) -> None:
    """Raise SettingsError where the URL and what is given for it do not fit."""
    if not redis.url.startswith("rediss:"):
        only_with(redis, TLS_KEYS, "a redis.url that begins with rediss://")
    if redis.username and not (redis.password or redis.password_file):
        raise bad(redis, "password", "the user needs it, or redis.password_file")
    check_secrets(redis)
