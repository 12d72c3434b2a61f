"""Settings of fetching images by URL."""

import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
)

from stream.config.base import Section, split_names


def _host(name: str) -> str:
    if not re.fullmatch(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+", name):
        raise ValueError("expected a host name in lower case, such as pbs.twimg.com or *.twimg.com, or *")
    return name


HostName = Annotated[str, AfterValidator(_host)]
Names = Annotated[
    tuple[HostName, ...], BeforeValidator(split_names), PlainSerializer(",".join, when_used="json")
]  # as one text, so that a worker's environment can carry it


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
    """Hosts that images may be fetched from by URL: `name`, `*.name` for its subdomains, or `*` for any host. If empty,
    no images are fetched."""
    allow_http: bool = False
    """Whether `http://` URLs and redirects are allowed. Such images can be read and replaced in transit."""
    seconds_per_post: float = Field(5.0, gt=0, le=60)
    """Seconds after which a post is tagged without the images that have not arrived."""
    images_at_once: int = Field(16, ge=1, le=256)
    """Maximum number of images that one worker fetches at once. Each takes up to 16 MiB of memory."""
    images_per_host: int = Field(8, ge=1, le=256)
    """Maximum number of images that one worker fetches from one host at once."""
    posts_at_once: int = Field(64, ge=1, le=1024)
    """Maximum number of posts per worker that wait for images at once."""
    cache: int = Field(256, ge=0)
    """Number of decoded images kept in memory by URL for ten minutes, 147 KiB each."""
