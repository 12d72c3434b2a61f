"""A TLS connection that the other side has accepted too: for asking whether it lets us in before a client is made.

Under TLS 1.3 the client's handshake is over before the server has looked at its certificate. A client that sends
at once may get its bytes back as a reset, and the alert that says why is lost: here nothing is sent before the verdict.
"""

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

TIMEOUT = 5.0
"""Seconds for each step."""
VERDICT_TIMEOUT = 2.0
"""Seconds for a server of TLS 1.3 to refuse us: one that accepts us sends its session tickets, at once."""


@contextmanager
def tls_link(host: str, port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """The connection, closed at the end. Raises ssl.SSLError where one refuses the other, OSError where it is away."""
    with (
        socket.create_connection((host, port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as link,
    ):
        _await_verdict(link)
        yield link


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
