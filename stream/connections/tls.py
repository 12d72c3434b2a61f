"""TLS for both links: one context for all clients, why a handshake was refused, and a connection that asks first.

TLS always verifies the certificate and the host name and is 1.2 or newer; there is no setting to weaken it. Where a
`ca_file` is given, no other authority is trusted. Files are read when a connection is made ready, so that a restart
takes up what was renewed. Certificates are not made here, and revocation lists are not read.

Under TLS 1.3 the client's handshake is over before the server has looked at its certificate. A client that sends at
once may get its bytes back as a reset, and the alert that says why is lost: in `tls_link` nothing is sent before the
verdict.
"""

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stream.config.base import bad
from stream.config.kafka import Kafka
from stream.config.redis import Redis

if TYPE_CHECKING:
    pass
from stream.connections.credentials import _reason, secret

TIMEOUT = 5.0
"""Seconds for each step."""


VERDICT_TIMEOUT = 2.0
"""Seconds for a server of TLS 1.3 to refuse us: one that accepts us sends its session tickets, at once."""


def _await_verdict(link: ssl.SSLSocket) -> None:
    if link.version() != "TLSv1.3" or not select.select([link], [], [], VERDICT_TIMEOUT)[0]:
        return
    link.settimeout(0)
    try:
        link.recv(1)  # tickets are taken in on the way; neither Kafka nor Redis speaks first
    except ssl.SSLWantReadError:
        pass
    finally:
        link.settimeout(TIMEOUT)


@contextmanager
def tls_link(host: str, port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """The connection, closed at the end. Raises ssl.SSLError where one refuses the other, OSError where it is away."""
    with (
        socket.create_connection((host, port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as link,
    ):
        _await_verdict(link)
        yield link


def why_refused(error: BaseException) -> str | None:
    """Why one side of a TLS handshake refused the other; None where `error` (or its cause) is no refusal.

    A connection that just breaks off is none: the other side may be on its way down.
    """
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLError):
        found = found.__cause__ or found.__context__
    if isinstance(found, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {found.verify_message.rstrip('.')}"
    reason = str(getattr(found, "reason", None) or "")  # one that asyncio raises itself has none
    if "ALERT" in reason and "INTERNAL_ERROR" not in reason:
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        ours = "CERT" in reason or "UNKNOWN_CA" in reason
        why = ", as our certificate is missing or not accepted" if ours else ""
        return f"it ends the TLS handshake{why} ({said})"
    if reason in ("WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return "what listens there does not speak TLS, or none that is new enough"
    return None


def _check_file(section: Kafka | Redis, key: str) -> None:
    path: Path | None = getattr(section, key)
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as error:
        raise bad(section, key, f"cannot read {path}: {error.strerror}") from None


def tls_context(section: Kafka | Redis) -> ssl.SSLContext:
    """What to check the other side with, and our own certificate. Raises SettingsError naming the file's key."""
    for key in ("ca_file", "certificate_file", "key_file"):
        _check_file(section, key)
    try:
        context = ssl.create_default_context(cafile=section.ca_file)
    except ssl.SSLError:
        raise bad(section, "ca_file", f"{section.ca_file} holds no certificate in PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if section.certificate_file:
        password = secret(section, "key_password")
        try:
            # an empty password, not None: OpenSSL would ask the terminal for one
            context.load_cert_chain(section.certificate_file, section.key_file, password)
        except (ssl.SSLError, ValueError) as error:
            cause = _reason(error)
            hint = "not in PEM, not its key, or another password than key_password"
            path = section.key_file or section.certificate_file
            raise bad(
                section, "key_file", f"{path} does not fit certificate_file: {hint} ({cause})"
            ) from None
    return context
