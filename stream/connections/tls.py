"""TLS for Kafka and Redis: one context for all clients, the reason of a refused handshake, and a test connection.

TLS 1.2 or newer always verifies the certificate and the host name; no setting can weaken it. If `ca_file` is set, no
other authority is trusted. Files are read when a connection is prepared, so a restart uses renewed files. Certificates
are not created here, and revocation lists are not read.

With TLS 1.3, the client's handshake ends before the server has checked its certificate. If the client sends data at
once, the connection may be reset and the alert with the reason lost. So `tls_link` sends nothing before the server's
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
"""Seconds for a TLS 1.3 server to refuse us: a server that accepts us sends session tickets at once."""


def _await_verdict(link: ssl.SSLSocket) -> None:
    if link.version() != "TLSv1.3" or not select.select([link], [], [], VERDICT_TIMEOUT)[0]:
        return
    link.settimeout(0)
    try:
        link.recv(1)  # also processes session tickets; neither Kafka nor Redis sends first
    except ssl.SSLWantReadError:
        pass
    finally:
        link.settimeout(TIMEOUT)


@contextmanager
def tls_link(host: str, port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """The connection, closed at the end. Raises ssl.SSLError if a side refuses, OSError if it is unavailable."""
    with (
        socket.create_connection((host, port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as link,
    ):
        _await_verdict(link)
        yield link


def why_refused(error: BaseException) -> str | None:
    """Why one side of a TLS handshake refused the other; None if `error` (or its cause) is not a refusal.

    A connection that breaks is not a refusal: the other side may be shutting down.
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
        why = ": our certificate is missing or not accepted" if ours else ""
        return f"it ended the TLS handshake{why} ({said})"
    if reason in ("WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return "the server does not use TLS, or its version is too old"
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
    """The authorities to trust, and our own certificate. Raises SettingsError with the key of an invalid file."""
    for key in ("ca_file", "certificate_file", "key_file"):
        _check_file(section, key)
    try:
        context = ssl.create_default_context(cafile=section.ca_file)
    except ssl.SSLError:
        raise bad(section, "ca_file", f"{section.ca_file} contains no PEM certificate") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if section.certificate_file:
        password = secret(section, "key_password")
        try:
            # an empty password, not None: OpenSSL would ask the terminal for one
            context.load_cert_chain(section.certificate_file, section.key_file, password)
        except (ssl.SSLError, ValueError) as error:
            cause = _reason(error)
            hint = "not PEM, another key, or a wrong key_password"
            path = section.key_file or section.certificate_file
            raise bad(
                section, "key_file", f"{path} does not match certificate_file: {hint} ({cause})"
            ) from None
    return context
