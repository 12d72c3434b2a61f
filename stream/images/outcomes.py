"""All possible outcomes of an image; each is a label of `trimod_images`.

An outcome is `used`, `broken` (there is no usable picture) or `skipped` (not attempted), with a short reason.
"""

from dataclasses import dataclass

from models.core.errors import TrimodError


@dataclass(frozen=True, slots=True)
class ImageOutcome:
    """The outcome of an image: `used`, `broken` or `skipped`, with a short reason for the metric's label."""

    outcome: str
    reason: str = ""


class NotFetched(TrimodError):
    """A URL gave no usable picture, for the reason in `outcome`; the post is processed without it."""

    def __init__(self, outcome: ImageOutcome) -> None:
        super().__init__(f"image is {outcome.outcome} ({outcome.reason})")
        self.outcome = outcome


USED = ImageOutcome("used")
UNDECODABLE = ImageOutcome("broken", "undecodable")
"""Not valid base64, or not an image that we can decode."""
UNREADABLE = ImageOutcome("broken", "unreadable")
"""No such file, or a path that leads out of the root."""
NO_ROOT = ImageOutcome("skipped", "no images root")

BAD_URL = ImageOutcome("broken", "bad url")
"""Not a URL; or one with a forbidden scheme or port, with credentials, or with an invalid host name."""
HOST_NOT_ALLOWED = ImageOutcome("skipped", "host not allowed")
"""The host of the URL, or of one that it redirects to, is not in `fetch.hosts`."""
ADDRESS_REFUSED = ImageOutcome("broken", "address refused")
"""The host's address is not on the public internet."""
TOO_MANY_REDIRECTS = ImageOutcome("broken", "redirects")
BAD_STATUS = ImageOutcome("broken", "status")
"""The server answered with an error status: the image does not exist, or access is denied."""
RATE_LIMITED = ImageOutcome("broken", "rate limited")
SERVER_ERROR = ImageOutcome("broken", "server error")
BAD_TYPE = ImageOutcome("broken", "content type")
ENCODED = ImageOutcome("broken", "content encoding")
"""Compressed although we did not accept compression: refused, because it may be a decompression bomb."""
TOO_LARGE = ImageOutcome("broken", "too large")
BAD_ANSWER = ImageOutcome("broken", "bad answer")
"""Not valid HTTP, or oversized headers."""
BAD_CERTIFICATE = ImageOutcome("broken", "tls")
UNREACHABLE = ImageOutcome("broken", "unreachable")
"""Unknown host name, no connection, or a broken connection."""
TIMEOUT = ImageOutcome("broken", "timeout")
HOST_AWAY = ImageOutcome("skipped", "host away")
"""The host kept failing and is skipped for a while."""
BUSY = ImageOutcome("skipped", "busy")
"""No slot became free while enough of the post's time was left for a fair attempt."""
FAULT = ImageOutcome("broken", "fault")
"""An unexpected error in our code; see the log."""
