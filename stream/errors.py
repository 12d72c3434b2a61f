"""The stream's errors: the class determines what happens.

TrimodError                 (models/core/errors.py) one line on stderr, non-zero exit
|-- SettingsError           unknown key or invalid value: prevents startup, the error names the key (exit 2)
|-- BadPost                 (models/core/errors.py) an invalid post: its bytes are moved to `posts.dead`
|-- LocalServerError        a local Kafka or Redis does not start, or a program is not installed
|-- PassingFault            Redis or the broker is unavailable: retried with backoff while the partition waits, or by
|                           the supervisor if it was unavailable at startup (exit 69)
`-- BrokenWorker            this process cannot continue: it exits so that its supervisor restarts it
    |-- AccessDenied        Kafka or Redis refuses access: a setting is wrong, and restarting will not help (exit 2)
    `-- FailedOnPost        the same, but a post in progress may be to blame: the journal counts it as a death
"""

from models.core.errors import BadPost as BadPost
from models.core.errors import TrimodError


class SettingsError(TrimodError):
    """An unknown key or an invalid value; the message names it as `section.key`."""

    exit_code = 2


class LocalServerError(TrimodError):
    """A local Kafka or Redis that does not start; the message contains the reason and what to do."""


class PassingFault(TrimodError):
    """An external service is temporarily unavailable; the work waits and is retried."""

    exit_code = 69


class BrokenWorker(TrimodError):
    """This worker cannot make progress; its supervisor should start another."""


class AccessDenied(BrokenWorker):
    """Kafka or Redis refuses access, or fails the identity check: password, certificate, host name or permissions."""

    exit_code = 2


class FailedOnPost(BrokenWorker):
    """This worker exits because of a post in progress: the post hangs the model, or broke it.

    The posts in progress remain in the journal, so that a post that does this repeatedly can be found.
    """

    exit_code = 75
