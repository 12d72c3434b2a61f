"""Arguments for the clients of Faust, aiokafka and kafka-python, and a check of the broker before they are created.

The clients retry for long and then only report that they could not connect: they do not distinguish a wrong password
from an unavailable broker, and fail somewhere on a broker that is too old. So `check_broker` asks first, with one
connection, TLS and SASL.
"""

import socket
import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any

from kafka.errors import IllegalSaslStateError, KafkaError, UnsupportedSaslMechanismError, for_code
from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from stream.config.kafka import Kafka
from stream.connections.tls import TIMEOUT, tls_link, why_refused
from stream.errors import AccessDenied, SettingsError

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT
from stream.connections.credentials import secret
from stream.connections.tls import tls_context

OLDEST = "2.8"
"""Oldest supported version of Kafka: the first whose topics have UUIDs."""
METADATA, WITH_UUIDS = 3, 10
"""The request that describes topics, and its first version with their UUIDs (KIP-516)."""


class _AccessRefused(Exception):
    """The broker refused access; the message contains the reason."""


def _refused(server: str, why: str) -> AccessDenied:
    return AccessDenied(f"no secured link to Kafka at {server.strip()}: {why}")


def _ask(link: socket.socket, protocol: KafkaProtocol, request: Any) -> Any:
    protocol.send_request(request)
    link.sendall(protocol.send_bytes())
    while True:
        data = link.recv(2**16)
        if not data:
            raise ConnectionResetError("closed")
        for _, answer in protocol.receive_bytes(data):
            return answer


def _log_in(link: ssl.SSLSocket, protocol: KafkaProtocol, host: str, options: dict[str, Any]) -> None:
    name = options["sasl_mechanism"]
    answer = _ask(link, protocol, SaslHandshakeRequest(version=1, mechanism=name))
    error = for_code(answer.error_code)
    if error is UnsupportedSaslMechanismError:
        offered = ", ".join(answer.mechanisms)
        raise _AccessRefused(f"it does not support {name} (kafka.sasl_mechanism), only {offered}")
    if error is IllegalSaslStateError:
        raise _AccessRefused("it does not accept a user name and password (kafka.security_protocol)")
    mechanism = get_sasl_mechanism(name)(host=host, **options)
    while not mechanism.is_done():
        request = SaslAuthenticateRequest(version=0, auth_bytes=mechanism.auth_bytes())
        answer = _ask(link, protocol, request)
        if answer.error_code:
            raise _AccessRefused("it refuses the user name or the password (kafka.username, kafka.password)")
        try:
            mechanism.receive(answer.auth_bytes)
        except ValueError:  # SCRAM: the broker could not prove that it knows the password
            raise _AccessRefused("SCRAM: the broker could not prove its identity") from None


def _check_access(host: str, port: int, options: dict[str, Any]) -> None:
    protocol = KafkaProtocol(client_id="trimod-check")
    if options["security_protocol"] == "PLAINTEXT":
        with closing(socket.create_connection((host, port), timeout=TIMEOUT)) as plain:
            _check_version(_ask(plain, protocol, ApiVersionsRequest(version=0)), f"{host}:{port}")
        return
    with tls_link(host, port, options["ssl_context"]) as link:
        answer = _ask(link, protocol, ApiVersionsRequest(version=0))
        if options["security_protocol"] == "SASL_SSL":
            _log_in(link, protocol, host, options)
    _check_version(answer, f"{host}:{port}")


def _check_version(answer: Any, server: str) -> None:
    """Raise SettingsError if the broker's answer to ApiVersions is that of an old one."""
    newest = {each.api_key: each.max_version for each in answer.api_keys}.get(METADATA, -1)
    if newest < WITH_UUIDS:
        raise SettingsError(
            f"Kafka at {server} is older than {OLDEST} (it has version {newest} of Metadata requests): {OLDEST} or "
            "newer is needed"
        )


def aiokafka_options(kafka: Kafka) -> dict[str, Any]:
    """Arguments for aiokafka's clients."""
    options: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol != "PLAINTEXT":
        options["ssl_context"] = tls_context(kafka)
    if kafka.security_protocol == "SASL_SSL":
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = secret(kafka, "password")
    return options


def kafka_python_options(kafka: Kafka) -> dict[str, Any]:
    """Arguments for kafka-python's clients; its SCRAM (3.0) does not quote the user name as RFC 5802 requires."""
    options = aiokafka_options(kafka)
    if kafka.sasl_mechanism.startswith("SCRAM") and "sasl_plain_username" in options:
        options["sasl_plain_username"] = kafka.username.replace("=", "=3D").replace(",", "=2C")
    return options


def check_broker(kafka: Kafka) -> None:
    """Raise AccessDenied if the first broker that answers refuses access, or fails the identity check; SettingsError if
    it is too old.

    Does nothing if no broker answers, or not like Kafka: the client will notice and retry.
    """
    options = kafka_python_options(kafka)
    for server in kafka.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            _check_access(host.strip("[]"), int(port), options)
        except ssl.SSLError as error:
            if why := why_refused(error):
                raise _refused(server, f"{why} (kafka.ca_file, kafka.certificate_file)") from None
        except (OSError, KafkaError):
            continue
        except _AccessRefused as error:
            raise _refused(server, str(error)) from None
        return


def faust_credentials(kafka: Kafka) -> "CredentialsT | None":
    """`broker_credentials` of a Faust app; None for a plain link."""
    from faust.auth import SASLCredentials, SSLCredentials

    options = aiokafka_options(kafka)
    if kafka.security_protocol == "PLAINTEXT":
        return None
    if kafka.security_protocol == "SSL":
        return SSLCredentials(options["ssl_context"])
    return SASLCredentials(
        username=kafka.username,
        password=options["sasl_plain_password"],
        ssl_context=options["ssl_context"],
        mechanism=kafka.sasl_mechanism,
    )
