"""What becomes of the link settings: TLS that verifies, files that are named when they are wrong, passwords from files.

The links themselves are in tests/integration/kafka/test_secured.py.
"""

import ssl
from pathlib import Path
from typing import Any

import pytest

from stream.config.kafka import Kafka
from stream.config.redis import Redis
from stream.config.worker import Worker
from stream.connections.credentials import metrics_token, secret, unsecured
from stream.connections.kafka_clients import aiokafka_options, faust_credentials, kafka_python_options
from stream.connections.tls import tls_context, why_refused
from stream.errors import SettingsError
from tests.support.tls_servers import Authority

LOGIN: dict[str, Any] = {"security_protocol": "SASL_SSL", "username": "a,n=n", "password": "pä ss"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


def test_tls_verifies_certificate_and_host_and_is_not_old(authority: Authority) -> None:
    for link in (
        Kafka(security_protocol="SSL"),
        Kafka(security_protocol="SSL", ca_file=authority.file),
        Redis(url="rediss://h/0", ca_file=authority.file),
    ):
        context = tls_context(link)
        assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_with_a_ca_file_no_other_authority_is_trusted(authority: Authority) -> None:
    context = tls_context(Kafka(security_protocol="SSL", ca_file=authority.file))
    assert 1 == len(context.get_ca_certs())


def test_files_that_are_wrong_are_named_by_their_key(authority: Authority, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no certificate")
    none = tmp_path / "none"
    locked = authority.issue("locked", password="hunter2")
    other = authority.issue("other").with_suffix(".key")
    for key, options in {
        "ca_file": {"ca_file": none},
        "ca_file'": {"ca_file": text},
        "certificate_file": {"certificate_file": none},
        "key_file": {"certificate_file": text},
        "key_file'": {
            "certificate_file": locked
        },  # and no prompt for the password, which would hang a worker
        "key_file' ": {"certificate_file": locked, "key_password": "hunter3"},
        "key_file'  ": {"certificate_file": locked.with_suffix(".crt"), "key_file": other},
        "key_password_file": {"certificate_file": locked, "key_password_file": none},
    }.items():
        with pytest.raises(SettingsError) as caught:
            tls_context(Kafka(security_protocol="SSL", **options))
        assert f"bad setting 'kafka.{key.strip(chr(39) + ' ')}'" in str(caught.value)
        assert "hunter" not in str(caught.value)


def test_a_password_file_is_taken_as_it_is_but_for_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content, expected in {" a b \n": " a b ", "a\r\n": "a", "ä'\"\\": "ä'\"\\", "a\n\n": "a\n"}.items():
        file.write_bytes(content.encode())
        assert expected == secret(Redis(password_file=file), "password")
    for content in (b"", b"\n", b"a\0b", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(SettingsError, match=r"redis\.password_file"):
            secret(Redis(password_file=file), "password")


def test_a_weak_token_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("short\n")
    with pytest.raises(SettingsError, match="at least 16"):
        metrics_token(Worker(metrics_token_file=file))


def test_the_clients_get_the_same_and_only_kafka_python_a_quoted_user() -> None:
    """kafka-python 3.0 sends the SCRAM user name as it is given: `a,n=n` would end at the comma."""
    ours, python, faust = aiokafka_options(kafka := Kafka(**LOGIN)), kafka_python_options(kafka), None
    faust = faust_credentials(kafka)
    assert ("a,n=n", "a=2Cn=3Dn") == (ours["sasl_plain_username"], python["sasl_plain_username"])
    assert ("a,n=n", "pä ss", "SASL_SSL") == (faust.username, faust.password, faust.protocol.value)
    plain = kafka_python_options(Kafka(**LOGIN, sasl_mechanism="PLAIN"))
    assert "a,n=n" == plain["sasl_plain_username"]


def test_a_plain_link_needs_nothing() -> None:
    assert {"security_protocol": "PLAINTEXT"} == kafka_python_options(Kafka())
    assert faust_credentials(Kafka()) is None


def test_our_own_servers_are_reached_without_the_link_settings_of_others() -> None:
    """`trimod up` where the environment has the settings of production."""
    kafka = Kafka(**LOGIN, ca_file=Path("ca.pem"))
    redis = Redis(url="rediss://h:1/0", username="u", password="p", ca_file=Path("ca.pem"))
    assert Kafka() == kafka.model_copy(update=unsecured(kafka))
    assert Redis(url="rediss://h:1/0") == redis.model_copy(update=unsecured(redis))


def test_a_broken_connection_is_no_refusal() -> None:
    assert why_refused(ConnectionResetError("reset")) is None
    assert why_refused(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")) is None
