"""Settings that cannot work together, found before anything connects: the key is named, never a secret's value.

Only what the settings themselves tell: files are read in stream/security.py, and whether the other side lets us in is
found out by asking it (stream/broker_check.py, stream/redis_link.py). SettingsError is no ValueError, so that pydantic
passes it on as it is.
"""

import ipaddress
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from stream.errors import SettingsError

if TYPE_CHECKING:
    from stream.settings import Kafka, Redis, Section, Worker

TLS_KEYS = ("ca_file", "certificate_file", "key_file", "key_password", "key_password_file")
LOGIN_KEYS = ("username", "password", "password_file")
SHORTEST_TOKEN = 16
"""Characters: what is shorter can be guessed over a network."""


def bad(section: "Section", key: str, what: str) -> SettingsError:
    """The error for one key of `section`."""
    return SettingsError(f"bad setting '{type(section).__name__.lower()}.{key}': {what}")


def check_kafka(kafka: "Kafka") -> None:
    """Raise SettingsError where the protocol and what is given for it do not fit."""
    if kafka.security_protocol == "PLAINTEXT":
        _only_with(kafka, TLS_KEYS, "kafka.security_protocol = SSL or SASL_SSL")
    if kafka.security_protocol != "SASL_SSL":
        _only_with(kafka, LOGIN_KEYS, "kafka.security_protocol = SASL_SSL")
    elif not kafka.username:
        raise bad(kafka, "username", "SASL_SSL needs a user")
    elif not (kafka.password or kafka.password_file):
        raise bad(kafka, "password", "SASL_SSL needs it, or kafka.password_file")
    _check_secrets(kafka)


def check_redis(redis: "Redis") -> None:
    """Raise SettingsError where the URL and what is given for it do not fit."""
    if not redis.url.startswith("rediss:"):
        _only_with(redis, TLS_KEYS, "a redis.url that begins with rediss://")
    if redis.username and not (redis.password or redis.password_file):
        raise bad(redis, "password", "the user needs it, or redis.password_file")
    _check_secrets(redis)


def check_web(worker: "Worker") -> None:
    """Raise SettingsError where the network could read our figures without a token."""
    if worker.metrics_token and worker.metrics_token_file:
        raise bad(worker, "metrics_token_file", "worker.metrics_token is given too: leave one of them out")
    if worker.metrics_token:
        check_token(worker, worker.metrics_token.get_secret_value())
    elif not (worker.metrics_token_file or is_loopback(worker.metrics_host)):
        listens = f"{worker.metrics_host or 'every address'} is not loopback"
        raise bad(worker, "metrics_host", f"{listens}, so worker.metrics_token (or _file) must be set")


def check_token(worker: "Worker", token: str) -> None:
    """Raise SettingsError for a token that no client could send, or that anybody could guess."""
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        rule = f"needs {SHORTEST_TOKEN} or more ASCII characters, without spaces"
        raise bad(worker, "metrics_token", f"{rule} (`openssl rand -hex 32` makes one)")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; another name than localhost may be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_redis_url(values: Any) -> Any:
    """The fields of [redis] with user and password taken out of the URL, which is logged and named in errors."""
    if not isinstance(values, dict) or not isinstance(values.get("url"), str):
        return values
    parts = _redis_parts(values["url"])
    login = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    login = {key: value for key, value in login.items() if value}
    if twice := [key for key in login if values.get(key)]:
        raise SettingsError(f"bad setting 'redis.{twice[0]}': it is in redis.url too: leave one of them out")
    return values | {"url": parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()} | login


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
    raise SettingsError(
        "bad setting 'redis.url': it must be redis://host:port/db or rediss://host:port/db, without options "
        "(redis.username and redis.password take any characters; in the URL they must be percent-encoded)"
    )


def _only_with(section: "Section", keys: tuple[str, ...], condition: str) -> None:
    for key in keys:
        if getattr(section, key):
            raise bad(section, key, f"it is of use only with {condition}")


def _check_secrets(section: "Kafka | Redis") -> None:
    """What holds for the secrets of both links: one source each, and nothing that a protocol cuts off."""
    for key in ("password", "key_password"):
        if getattr(section, key) and getattr(section, f"{key}_file"):
            name = f"{type(section).__name__.lower()}.{key}"
            raise bad(section, f"{key}_file", f"{name} is given too: leave one of them out")
    if "\0" in section.username or "\0" in section.password.get_secret_value():
        raise bad(section, "password", "neither it nor the user name may contain the character NUL")
    if not section.certificate_file:
        _only_with(section, ("key_file", "key_password", "key_password_file"), "certificate_file beside it")
