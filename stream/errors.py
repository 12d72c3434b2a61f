"""The stream's errors: their class decides what happens.

TrimodError                 (models/core/errors.py) one line on stderr, non-zero exit
|-- SettingsError           unknown or bad setting: stops the start, names the key (exit 2)
|-- BadPost                 (models/core/errors.py) the post's own fault: its bytes go to `posts.dead`
|-- LocalServerError        a Kafka or Redis of our own does not start, or what it needs is not installed
|-- PassingFault            Redis or the broker is away: retried with backoff while the partition waits, or by the
|                           supervisor where it was away at the start (exit 69)
`-- BrokenWorker            this process cannot go on: it exits for its supervisor to restart it
    |-- AccessDenied        Kafka or Redis does not let us in: a setting is wrong, no restart heals it (exit 2)
    `-- FailedOnPost        the same, and a post in work may be to blame: the journal counts it as a death
"""

from models.core.errors import BadPost as BadPost
from models.core.errors import TrimodError


class SettingsError(TrimodError):
    """An unknown key or a value of the wrong type, named as `section.key`."""

    exit_code = 2


class LocalServerError(TrimodError):
    """A local Kafka or Redis that does not start; the message says why and what to do."""


class PassingFault(TrimodError):
    """Something outside is away for now; the work waits and is tried again."""

    exit_code = 69


class BrokenWorker(TrimodError):
    """This worker cannot make progress; its supervisor should start another."""


class AccessDenied(BrokenWorker):
    """Kafka or Redis does not let us in, or is not who it should be: password, certificate, host name, rights."""

    exit_code = 2


class FailedOnPost(BrokenWorker):
    """This worker ends because of what it worked on: a post hangs the model, or the model broke on it.

    What was in work stays in the journal, so that a post that does this time and again is found out.
    """

    exit_code = 75
