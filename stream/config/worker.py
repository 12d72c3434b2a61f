"""Settings of a worker: model, device, limits, and its web endpoints."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from models import DEFAULT_POINTER
from stream.config.base import OptionalPath, Section, bad

SHORTEST_TOKEN = 16
"""Characters: what is shorter can be guessed over a network."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; another name than localhost may be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


def check_token(worker: Worker, token: str) -> None:
    """Raise SettingsError for a token that no client could send, or that anybody could guess."""
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        rule = f"needs {SHORTEST_TOKEN} or more ASCII characters, without spaces"
        raise bad(worker, "metrics_token", f"{rule} (`openssl rand -hex 32` makes one)")


def check_web(worker: Worker) -> None:
    """Raise SettingsError where the network could read our figures without a token."""
    if worker.metrics_token and worker.metrics_token_file:
        raise bad(worker, "metrics_token_file", "worker.metrics_token is given too: leave one of them out")
    if worker.metrics_token:
        check_token(worker, worker.metrics_token.get_secret_value())
    elif not (worker.metrics_token_file or is_loopback(worker.metrics_host)):
        listens = f"{worker.metrics_host or 'every address'} is not loopback"
        raise bad(worker, "metrics_host", f"{listens}, so worker.metrics_token (or _file) must be set")
