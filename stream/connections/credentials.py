"""Secrets from settings or files, and default link settings for a local server."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.config.base import bad
from stream.config.kafka import Kafka
from stream.config.redis import Redis
from stream.config.secured import LOGIN_KEYS, TLS_KEYS
from stream.config.worker import Worker, check_token

if TYPE_CHECKING:
    pass


def unsecured(section: Kafka | Redis) -> dict[str, Any]:
    """Defaults of all link settings, for model_copy: for a local server on loopback."""
    fields = type(section).model_fields
    keys = ("security_protocol", "sasl_mechanism", *LOGIN_KEYS, *TLS_KEYS)
    return {key: fields[key].get_default() for key in keys if key in fields}


def secret(section: Kafka | Redis | Worker, key: str) -> str:
    """A secret from its setting or its file; empty if neither is set. Raises SettingsError."""
    path: Path | None = getattr(section, f"{key}_file")
    if path is None:
        return str(getattr(section, key).get_secret_value())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise bad(section, f"{key}_file", f"cannot read {path}: {_reason(error)}") from None
    found = text.removesuffix("\n").removesuffix("\r")  # from editors; the rest is the secret
    if not found or "\0" in found:
        raise bad(section, f"{key}_file", f"{path} is empty or contains a NUL character")
    return found


def metrics_token(worker: Worker) -> str:
    """The token of the web endpoints; empty if none is required. Raises SettingsError for a weak one."""
    token = secret(worker, "metrics_token")
    if token:
        check_token(worker, token)
    return token


def _reason(error: Exception) -> str:
    """The reason without the content: a decoding error would show the bytes."""
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "not PEM").replace("_", " ").lower()
    return (error.strerror or "") if isinstance(error, OSError) else "not valid UTF-8, or too long"
