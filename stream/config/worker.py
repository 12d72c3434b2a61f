"""Settings of a worker: model, device, limits, and its web endpoints."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from models import DEFAULT_POINTER
from stream.config.base import OptionalPath, Section, bad
from stream.config.languages import Languages

SHORTEST_TOKEN = 16
"""Characters: a shorter token can be guessed over a network."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; names other than localhost may be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Worker(Section):
    checkpoint: Path = DEFAULT_POINTER
    """Directory of the checkpoint, or the pointer file that `trimod checkpoint promote` writes and workers watch."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """`auto` (CUDA if available), `cpu`, `cuda` or `cuda:N`."""
    instance_id: str = ""
    """Name for static membership in the group; empty for none. Each worker needs a different name."""
    images_root: OptionalPath = None
    """Directory of images given as `{"path"}`, shared by all workers. Without it, such images are skipped."""
    languages: Languages = ("en",)
    """Languages that are tagged, as ISO 639 codes such as `en`; `["*"]` for all. A post in another language is skipped:
    it gets a receipt without mentions. Its `lang` decides, otherwise its text if that is long enough to tell. The
    included checkpoints know English only."""
    max_batch_tokens: int = Field(4096, ge=16)
    """Maximum number of tokens in a batch, without padding."""
    max_batch_images: int = Field(32, ge=1)
    """Maximum number of images in a batch."""
    max_partition_posts: int = Field(512, ge=1)
    """Maximum number of posts in progress per partition."""
    max_partition_bytes: int = Field(64 * 2**20, ge=2**20)
    """Maximum number of bytes of posts in progress per partition."""
    image_cache: int = Field(4096, ge=0)
    """Number of images whose features are kept in memory, by content hash. Each takes 5 kB. For models that read image
    regions, each takes 0.25 MB, or up to 4 MB with some classifiers."""
    engine: str = Field("auto", pattern=r"^(auto|exact|torch-fp32|torch-bf16)$")
    """Software and precision that runs the model. `exact`: float32. `auto`: the fastest on this machine that tags the
    checkpoint's golden posts like `exact`; the first start takes some seconds to time them. Or one by name:
    torch-fp32, torch-bf16."""
    threads: int = Field(0, ge=0)
    """Number of CPU threads for the model; 0 for PyTorch's default."""
    handles: Literal["tag", "skip"] = "skip"
    """Whether a handle such as `@nasa` may be a mention: `tag` or `skip`. The data sets disagree. In Twitter-2015,
    WNUT-16, WNUT-17 and Tweebank, which keep a handle in one piece, 13 of 10,494 in the training data are entities. In
    Twitter-2017 and BTC, which write `@ nasa`, 91 % are. Posts write handles in one piece, and most of them name
    private persons, so the default is `skip`. This setting does not change the model."""
    hang_limit: float = Field(60.0, gt=0)
    """Seconds that a thread may work on one batch, or prepare one post, before the worker exits because it hangs. If
    posts are very long, each part of a batch has this limit."""
    stall_limit: float = Field(120.0, gt=0)
    """Seconds without progress before the worker exits. This means: posts are pending, nothing is committed, and the
    worker is not waiting for a reported fault."""
    metrics_host: str = "127.0.0.1"
    """Address for /metrics and /health. An address that is not loopback needs metrics_token."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """Port for /metrics and /health; 0 picks a free port and logs it."""
    metrics_token: SecretStr = SecretStr("")
    """Token to read /metrics and all of /health, sent as `Authorization: Bearer ...`; at least 16 characters."""
    metrics_token_file: OptionalPath = None
    """File that contains only the token, instead of metrics_token."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_web(self)
        return self


def check_token(worker: Worker, token: str) -> None:
    """Raise SettingsError for a token that clients cannot send, or that can be guessed."""
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        rule = f"expected at least {SHORTEST_TOKEN} ASCII characters without spaces"
        raise bad(worker, "metrics_token", f"{rule} (create one with `openssl rand -hex 32`)")


def check_web(worker: Worker) -> None:
    """Raise SettingsError if the network could read the metrics without a token."""
    if worker.metrics_token and worker.metrics_token_file:
        raise bad(worker, "metrics_token_file", "worker.metrics_token is set too: remove one of them")
    if worker.metrics_token:
        check_token(worker, worker.metrics_token.get_secret_value())
    elif not (worker.metrics_token_file or is_loopback(worker.metrics_host)):
        listens = f"{worker.metrics_host or 'every address'} is not loopback"
        raise bad(worker, "metrics_host", f"{listens}: set worker.metrics_token or worker.metrics_token_file")
