"""Settings of fetching images by URL."""

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
)

from stream.config.base import Section


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
