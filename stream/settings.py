"""All settings, typed: flags (`--set section.key=value`) over environment over one TOML file over defaults.

An environment variable is `TRIMOD_SECTION__KEY` (`TRIMOD_KAFKA__PARTITIONS=16`); the file is what
`--config FILE` or `TRIMOD_CONFIG` names. The docstring under each field is its documentation. An unknown key, a bad
value or a combination that cannot work (stream/settings_checks.py) stops the start with the key's name. Secrets are
never shown, and not taken from flags, which every user of the machine can read.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from models import DEFAULT_POINTER
from stream.errors import SettingsError
from stream.settings_checks import check_kafka, check_redis, check_web, split_redis_url

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "TRIMOD_"


def _unset(value: Any) -> Any:
    """An empty text is no folder, least of all the current one."""
    return None if value == "" else value


def _split(value: Any) -> Any:
    """Names as the environment and flags write them: one text, with commas."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return value


def _host(name: str) -> str:
    if not re.fullmatch(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+", name):
        raise ValueError("a host is a name such as pbs.twimg.com in lower case, *.twimg.com, or *")
    return name


HostName = Annotated[str, AfterValidator(_host)]
Names = Annotated[
    tuple[HostName, ...], BeforeValidator(_split), PlainSerializer(",".join, when_used="json")
]  # as one text, so that a worker's environment can carry it
OptionalPath = Annotated[Path | None, BeforeValidator(_unset)]


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
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """`read_committed` reads posts of a transaction once it is committed, and none of an aborted one; as in every Kafka
    consumer, posts behind an open transaction wait for its end. `read_uncommitted` reads all at once."""
    session_timeout: float = Field(10.0, ge=1.0)
    """Seconds without a heartbeat after which a worker's partitions go to others."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    """`SSL` is TLS, with a certificate of our own where the brokers want one; `SASL_SSL` TLS with user and password."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How SASL_SSL proves the password."""
    username: str = ""
    """User of SASL_SSL."""
    password: SecretStr = SecretStr("")
    """The user's password; as TRIMOD_KAFKA__PASSWORD or in the settings file, never by --set."""
    password_file: OptionalPath = None
    """File with the password alone, instead of it."""
    ca_file: OptionalPath = None
    """PEM file of the authorities that the brokers' certificates must come from; without it, those of the system."""
    certificate_file: OptionalPath = None
    """PEM file of our own certificate (and its chain), for brokers that want one."""
    key_file: OptionalPath = None
    """PEM file of its private key; without it, the key is in certificate_file."""
    key_password: SecretStr = SecretStr("")
    """Password of an encrypted private key."""
    key_password_file: OptionalPath = None
    """File with that password alone, instead of it."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_kafka(self)
        return self


class Redis(Section):
    url: str = "redis://127.0.0.1:6379/0"
    """`redis://host:port/db`, or `rediss://` for TLS; `user:password@` before the host is taken out of it."""
    username: str = ""
    """Name of an ACL user; empty for Redis's default user."""
    password: SecretStr = SecretStr("")
    """The user's password; as TRIMOD_REDIS__PASSWORD or in the settings file, never by --set."""
    password_file: OptionalPath = None
    """File with the password alone, instead of it."""
    ca_file: OptionalPath = None
    """PEM file of the authorities that Redis's certificate must come from; without it, those of the system."""
    certificate_file: OptionalPath = None
    """PEM file of our own certificate (and its chain), for a Redis that wants one."""
    key_file: OptionalPath = None
    """PEM file of its private key; without it, the key is in certificate_file."""
    key_password: SecretStr = SecretStr("")
    """Password of an encrypted private key."""
    key_password_file: OptionalPath = None
    """File with that password alone, instead of it."""
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

    @model_validator(mode="before")
    @classmethod
    def _split_url(cls, values: Any) -> Any:
        return split_redis_url(values)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_redis(self)
        return self


class Worker(Section):
    checkpoint: Path = DEFAULT_POINTER
    """Folder of the checkpoint that tags, or the file that `trimod checkpoint promote` writes and workers watch."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`."""
    instance_id: str = ""
    """Name for static membership; empty for none. Must differ between workers."""
    images_root: OptionalPath = None
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
    """Images whose features are kept in memory, by content hash: 5 kB each, or 0.25 MB (as many as 4 with some
    classifiers) for models that read regions of them."""
    threads: int = Field(0, ge=0)
    """Threads of the model on a CPU; 0 leaves torch's choice."""
    hang_limit: float = Field(60.0, gt=0)
    """Seconds that one batch (of very long posts: a part of it), or one post before it, may keep a thread before the
    worker ends: it hangs."""
    stall_limit: float = Field(120.0, gt=0)
    """Seconds with work to do, nothing committed and no named fault to wait for before the worker ends."""
    metrics_host: str = "127.0.0.1"
    """Address that /metrics and /health listen on; one that is not loopback needs metrics_token."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """Port of /metrics and /health; 0 takes a free one and logs it."""
    metrics_token: SecretStr = SecretStr("")
    """What `Authorization: Bearer ...` must say to read /metrics, and /health in full; 16 characters at least."""
    metrics_token_file: OptionalPath = None
    """File with the token alone, instead of it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_web(self)
        return self


class Fetch(Section):
    hosts: Names = (
        "pbs.twimg.com",
        "cdn.bsky.app",
        "files.mastodon.social",
        "i.redd.it",
        "preview.redd.it",
        "i.imgur.com",
        "live.staticflickr.com",
        "i.ytimg.com",
        "*.media.tumblr.com",
        "*.cdninstagram.com",
        "*.fbcdn.net",
    )
    """Hosts that images are fetched from by URL: names; `*.name`, all below it; `*`, any. Empty: none."""
    allow_http: bool = False
    """Whether URLs, and redirects, may be `http://` too: such images can be read and replaced on the way."""
    seconds_per_post: float = Field(5.0, gt=0, le=60)
    """Seconds after which a post is tagged without those of its images that are not there."""
    images_at_once: int = Field(16, ge=1, le=256)
    """Images that one worker fetches at once; each takes up to 16 MiB of memory."""
    images_per_host: int = Field(8, ge=1, le=256)
    """Those of them that may come from one host."""
    posts_at_once: int = Field(64, ge=1, le=1024)
    """Posts of one worker that may wait for their images at once."""
    cache: int = Field(256, ge=0)
    """Pictures kept in memory by URL for ten minutes, 147 KiB each."""


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
    fetch: Fetch = Fetch()
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


def secret_names() -> set[str]:
    """`section.key` of every setting whose value nobody may see."""
    return {name for name, field in documented_fields() if field.annotation is SecretStr}


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown setting '{key}'"
    shown = "" if key in {"redis.url", *secret_names()} else f", got {error['input']!r}"
    return f"bad setting '{key}': {error['msg'].lower()}{shown}"


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
        if not name.startswith(PREFIX) or name in ("TRIMOD_CONFIG", "TRIMOD_FAULTS"):
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
        _refuse_secret(name.strip(), value)
        if not (equals and dot and key):
            begin = re.split(r"[^\w.]", name.strip())[0]  # what follows may be a secret
            raise SettingsError(f"--set takes section.key=value, and not what begins with {begin!r}")
        found.setdefault(section, {})[key] = value
    return found


def _refuse_secret(name: str, value: str) -> None:
    """A flag stands in the list of processes and in the shell's history."""
    section, _, key = name.partition(".")
    variable = f"{PREFIX}{section}__{key}".upper()
    if name in secret_names():
        where = f"{variable}, the settings file or {name}_file"
        raise SettingsError(f"'{name}' is a secret, which --set would show to everybody: use {where}")
    if name == "redis.url" and "@" in value:
        where = "TRIMOD_REDIS__PASSWORD or redis.password_file"
        raise SettingsError(f"'{name}' holds a password, which --set would show to everybody: use {where}")
