"""The stream's errors: their class decides what happens.

TrimodError                 (models/core/errors.py) one line on stderr, non-zero exit
|-- SettingsError           unknown or bad setting: stops the start, names the key (exit 2)
|-- BadPost                 the post's own fault: its bytes go to `posts.dead`, the stream goes on
|-- LocalServerError        a Kafka or Redis of our own does not start, or what it needs is not installed
|-- PassingFault            Redis or the broker is away: retried with backoff while the partition waits, or by the
|                           supervisor where it was away at the start (exit 69)
`-- BrokenWorker            this process cannot go on: it exits for its supervisor to restart it
    |-- Refused             Kafka or Redis does not let us in: a setting is wrong, no restart heals it (exit 2)
    `-- WorkEndedIt         the same, and a post in work may be to blame: the journal counts it as a death
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from models.core.errors import TrimodError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


class SettingsError(TrimodError):
    """An unknown key or a value of the wrong type, named as `section.key`."""

    exit_code = 2


class BadPost(TrimodError):
    """A record on the posts topic that is no post; the message names the field."""


class LocalServerError(TrimodError):
    """A local Kafka or Redis that does not start; the message says why and what to do."""


class PassingFault(TrimodError):
    """Something outside is away for now; the work waits and is tried again."""

    exit_code = 69


class BrokenWorker(TrimodError):
    """This worker cannot make progress; its supervisor should start another."""


class Refused(BrokenWorker):
    """Kafka or Redis does not let us in, or is not who it should be: password, certificate, host name, rights."""

    exit_code = 2


class WorkEndedIt(BrokenWorker):
    """This worker ends because of what it worked on: a post hangs the model, or the model broke on it.

    What was in work stays in the journal, so that a post that does this time and again is found out.
    """

    exit_code = 75


def explain(error: "ValidationError", noun: str, detail: "Callable[[str, ErrorDetails], str]") -> str:
    """What pydantic found, in one line; `detail` words a bad value, given its name such as `images[0].url`."""
    return "; ".join(_one(each, noun, detail) for each in error.errors())


def _one(error: "ErrorDetails", noun: str, detail: "Callable[[str, ErrorDetails], str]") -> str:
    name = ""
    for part in error["loc"]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    if error["type"] == "extra_forbidden":
        return f"unknown {noun} '{name}'"
    return f"{noun} '{name}' is missing" if error["type"] == "missing" else detail(name, error)
