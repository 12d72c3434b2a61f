"""What the settings say about secured links, as Faust, aiokafka, kafka-python and redis-py want it: one place.

TLS always verifies the certificate and the host name and is 1.2 or newer; there is no setting to weaken it. Where a
`ca_file` is given, no other authority is trusted. Files are read when a connection is made ready, so that a restart
takes up what was renewed. Certificates are not made here, and revocation lists are not read.
"""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.settings import Kafka, Redis, Worker
from stream.settings_checks import LOGIN_KEYS, TLS_KEYS, bad, check_token

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT


def unsecured(section: Kafka | Redis) -> dict[str, Any]:
    """What undoes every link setting, by model_copy: for a server of our own on loopback."""
    fields = type(section).model_fields
    keys = ("security_protocol", "sasl_mechanism", *LOGIN_KEYS, *TLS_KEYS)
    return {key: fields[key].get_default() for key in keys if key in fields}


def secret(section: Kafka | Redis | Worker, key: str) -> str:
    """A secret from its own setting or from its file; empty where there is neither. Raises SettingsError."""
    path: Path | None = getattr(section, f"{key}_file")
    if path is None:
        return str(getattr(section, key).get_secret_value())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise bad(section, f"{key}_file", f"cannot read {path}: {_reason(error)}") from None
    found = text.removesuffix("\n").removesuffix("\r")  # an editor's; all else belongs to it
    if not found or "\0" in found:
        raise bad(section, f"{key}_file", f"{path} is empty or holds a NUL")
    return found


def metrics_token(worker: Worker) -> str:
    """The token of the web endpoints; empty where none is asked for. Raises SettingsError for a weak one."""
    token = secret(worker, "metrics_token")
    if token:
        check_token(worker, token)
    return token


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
    """Arguments for kafka-python's clients; its SCRAM (3.0) does not quote the user name as RFC 5802 wants."""
    options = aiokafka_options(kafka)
    if kafka.sasl_mechanism.startswith("SCRAM") and "sasl_plain_username" in options:
        options["sasl_plain_username"] = kafka.username.replace("=", "=3D").replace(",", "=2C")
    return options


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


def _reason(error: Exception) -> str:
    """What went wrong, without what was read: a decoding error would show the bytes."""
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "no PEM").replace("_", " ").lower()
    return (error.strerror or "") if isinstance(error, OSError) else "it is no UTF-8 or too long"
