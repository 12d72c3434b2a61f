"""What can become of an image: the whole set, because each is a label of `trimod_images`.

`used`, `broken` (there is no picture to be had there) or `skipped` (we did not look); and a short reason.
"""

from dataclasses import dataclass

from models.core.errors import TrimodError


@dataclass(frozen=True, slots=True)
class ImageOutcome:
    """What became of an image: `used`, `broken` or `skipped`; and a short reason, fit for a metric's
    label."""

    outcome: str
    reason: str = ""


class NotFetched(TrimodError):
    """There is no picture to be had from a URL, for the reason in `outcome`; the post goes on without."""

    def __init__(self, outcome: ImageOutcome) -> None:
        super().__init__(f"image is {outcome.outcome} ({outcome.reason})")
        self.outcome = outcome


USED = ImageOutcome("used")
UNDECODABLE = ImageOutcome("broken", "undecodable")
"""No base64, or no image that we can read."""
UNREADABLE = ImageOutcome("broken", "unreadable")
"""No such file, or a path that leads out of the root."""
NO_ROOT = ImageOutcome("skipped", "no images root")

BAD_URL = ImageOutcome("broken", "bad url")
"""No URL, or one with another scheme or port, with credentials, or with a host that is no name."""
HOST_NOT_ALLOWED = ImageOutcome("skipped", "host not allowed")
"""The host of the URL, or of one that it redirects to, is not in `fetch.hosts`."""
ADDRESS_REFUSED = ImageOutcome("broken", "address refused")
"""The host's address is not on the public internet."""
TOO_MANY_REDIRECTS = ImageOutcome("broken", "redirects")
BAD_STATUS = ImageOutcome("broken", "status")
"""The server says no: there is no such image, or not for us."""
RATE_LIMITED = ImageOutcome("broken", "rate limited")
SERVER_ERROR = ImageOutcome("broken", "server error")
BAD_TYPE = ImageOutcome("broken", "content type")
ENCODED = ImageOutcome("broken", "content encoding")
"""Compressed although we asked for no compression: refused, since it may be a bomb."""
TOO_LARGE = ImageOutcome("broken", "too large")
BAD_ANSWER = ImageOutcome("broken", "bad answer")
"""No HTTP, or headers beyond all measure."""
BAD_CERTIFICATE = ImageOutcome("broken", "tls")
UNREACHABLE = ImageOutcome("broken", "unreachable")
"""No such name, no connection, or a connection that broke."""
TIMEOUT = ImageOutcome("broken", "timeout")
HOST_AWAY = ImageOutcome("skipped", "host away")
"""The host failed time and again, and is left alone for a while."""
BUSY = ImageOutcome("skipped", "busy")
"""The image's turn did not come while the post's time still allowed a fair try."""
FAULT = ImageOutcome("broken", "fault")
"""An error of ours that nobody expected; the log has it."""
