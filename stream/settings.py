"""All settings, typed: flags (`--set section.key=value`) over environment over one TOML file over defaults.

An environment variable is `TRIMOD_SECTION__KEY` (`TRIMOD_KAFKA__PARTITIONS=16`); the file is what
`--config FILE` or `TRIMOD_CONFIG` names. The docstring under each field is its documentation. An unknown key or a
bad value anywhere stops the start with the key's name.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from models import DEFAULT_CHECKPOINT
from stream.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "TRIMOD_"


def _unset(value: Any) -> Any:
    """An empty text is no folder, least of all the current one."""
    return None if value == "" else value


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Kafka(Section):
    bootstrap_servers: str = "127.0.0.1:9092"
    """Comma-separated `host:port` of the brokers to ask first."""
    group: str = "trimod"
    """Consumer group of the workers; also the application in the counters' high-water marks."""
    posts_topic: str = "posts"
    """Topic that posts arrive on."""
    entities_topic: str = "entities"
    """Topic that gets one record per mention."""
    tagged_topic: str = "posts.tagged"
    """Topic that gets one receipt per post."""
    dead_topic: str = "posts.dead"
    """Topic that gets the bytes of every post that cannot be tagged."""
    partitions: int = Field(8, ge=1, le=10_000)
    """Partitions of topics that we create: a multiple of the largest number of workers."""
    replication_factor: int = Field(1, ge=1)
    """Replicas of topics that we create; 3 in production."""
    session_timeout: float = Field(10.0, ge=1.0)
    """Seconds without a heartbeat after which a worker's partitions go to others."""


class Redis(Section):
    url: str = "redis://127.0.0.1:6379/0"
    """`redis://[user:password@]host:port/db`, or `rediss://` for TLS."""
    prefix: str = Field("trimod", pattern=r"^[^{}\s]+$")
    """Hash tag that all keys share: `{prefix}:...`."""
    dedup_window: float = Field(600.0, ge=0.0)
    """Seconds in which a post id that comes again is not counted again."""
    keep_minutes: float = Field(3 * 3600.0, gt=0)
    """Seconds after its last write that a minute's counts expire."""
    keep_hours: float = Field(8 * 86400.0, gt=0)
    """Seconds after its last write that an hour's counts expire."""
    keep_days: float = Field(400 * 86400.0, gt=0)
    """Seconds after its last write that a day's counts expire."""


class Worker(Section):
    checkpoint: Path = DEFAULT_CHECKPOINT
    """Folder of the checkpoint that tags."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`."""
    instance_id: str = ""
    """Name for static membership; empty for none. Must differ between workers."""
    images_root: Annotated[Path | None, BeforeValidator(_unset)] = None
    """Folder that `{"path"}` images are read from, shared by all workers; without it such images are skipped."""
    max_batch_tokens: int = Field(4096, ge=16)
    """Tokens that one batch may hold, without padding."""
    max_batch_images: int = Field(32, ge=1)
    """Images that one batch may hold."""
    max_partition_posts: int = Field(512, ge=1)
    """Posts of one partition that may be in work at once."""
    max_partition_bytes: int = Field(64 * 2**20, ge=2**20)
    """Bytes of posts of one partition that may be in work at once."""
    image_cache: int = Field(4096, ge=0)
    """Images whose features are kept in memory, by content hash."""
    threads: int = Field(0, ge=0)
    """Threads of the model on a CPU; 0 leaves torch's choice."""
    metrics_host: str = "127.0.0.1"
    """Address that /metrics and /health listen on."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """Port of /metrics and /health; 0 takes a free one and logs it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""


class Local(Section):
    directory: Path = ROOT / ".local"
    """Folder of the local servers' data and logs, and of the logs of workers that `trimod up` starts."""
    kafka_port: int = Field(9092, ge=1, le=65534)
    """Broker's port; the controller takes the next one."""
    kafka_heap: str = Field("512m", pattern=r"^\d+[mMgG]$")
    """Heap of the local broker, as Java writes it."""
    redis_port: int = Field(6379, ge=1, le=65535)
    """Port of the local Redis."""
    workers: int = Field(2, ge=0)
    """Workers that `trimod up` starts."""
    metrics_port: int = Field(6066, ge=0, le=65535)
    """Port of the first worker's /metrics; worker N takes this plus N; 0 lets each take a free one."""


class Settings(Section):
    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    worker: Worker = Worker()
    local: Local = Local()


def load_settings(
    config: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Merge defaults, the TOML file, the environment and `section.key=value` overrides, in rising order.

    Raises SettingsError naming the key for anything unknown or of the wrong type.
    """
    merged: dict[str, dict[str, Any]] = {}
    for source in (_from_file(config, environ), _from_environment(environ), _from_overrides(overrides)):
        for section, values in source.items():
            if not isinstance(values, dict):
                raise SettingsError(f"setting '{section}' must be a section with keys below it")
            merged.setdefault(section, {}).update(values)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError("; ".join(map(_explain, error.errors()))) from None


def with_flags(settings: Settings, section: str, flags: Mapping[str, Any]) -> Settings:
    """`settings` with a command's own flags over one section; None means not given. Raises SettingsError."""
    values = settings.model_dump()
    values[section] |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(map(_explain, error.errors()))) from None


def documented_fields() -> list[tuple[str, FieldInfo]]:
    """(`section.key`, field) of every setting, in order; for the example file (stream/settings_example.py)."""
    return [
        (f"{name}.{key}", field)
        for name, section in Settings.model_fields.items()
        for key, field in section.annotation.model_fields.items()  # type: ignore[union-attr]
    ]


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown setting '{key}'"
    return f"bad setting '{key}': {error['msg'].lower()}, got {error['input']!r}"


def _from_file(config: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    path = config or (Path(environ["TRIMOD_CONFIG"]) if environ.get("TRIMOD_CONFIG") else None)
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is no TOML: {error}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name == "TRIMOD_CONFIG":
            continue
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if not separator:
            raise SettingsError(f"unknown setting in the environment: {name} (write TRIMOD_SECTION__KEY)")
        found.setdefault(section, {})[key] = value
    return found


def _from_overrides(overrides: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise SettingsError(f"--set takes section.key=value, got {override!r}")
        found.setdefault(section, {})[key] = value
    return found
