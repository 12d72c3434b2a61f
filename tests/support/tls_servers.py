"""A Kafka and a Redis with TLS, users and client certificates, and a made-up authority, for test_secured.py.

The certificates are made with `cryptography`, a test dependency: the `openssl` command before 3.4 cannot date one back.
"""

import datetime
import hashlib
import ipaddress
import socket
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion

from stream.local.process import Child
from stream.local.server import LOOPBACK, LocalServer
from stream.local.stack import LocalKafka, free_port

PRIVATE = "Zq7wX"
"""Part of every password here: it must never be seen anywhere."""
PASSWORD = PRIVATE + " ä\"\\'$%#@:/?&,=;{}"
KEY_PASSWORD = PRIVATE + "-of the key ü"
SCRAM_USER = "scram,user=1"
PLAIN_USER = "plainuser"
REDIS_USER = "trimod"


class Authority:
    """A certificate authority whose files are in `directory`."""

    def __init__(self, directory: Path, name: str = "Made-up Authority") -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = {name: name in ("digital_signature", "key_cert_sign", "crl_sign") for name in USAGES}
        builder = (
            self._builder(self._name, self._key.public_key(), -1, 30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.file = directory / "ca.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, hosts: tuple[str, ...] = (), days: int = 30, password: str = "") -> Path:
        """A PEM file `name`.pem of private key, certificate and authority; valid for `days` from now, or until
        then. `name`.key and `name`.crt hold key and certificate alone."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key(), -60, days)
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        chain = [builder.sign(self._key, hashes.SHA256()), self._certificate]
        cipher = (
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption()
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, cipher)
        public = b"".join(certificate.public_bytes(pem) for certificate in chain)
        (self.directory / f"{name}.key").write_bytes(private)
        (self.directory / f"{name}.crt").write_bytes(public)
        whole = self.directory / f"{name}.pem"
        whole.write_bytes(private + public)
        return whole

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, first_day: int, last_day: int
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=first_day))
            .not_valid_after(now + datetime.timedelta(days=last_day))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False
            )
        )


USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


LISTENERS = ("LOGIN", "CLIENTS", "EXPIRED", "ELSEWHERE")
"""SASL_SSL; SSL that wants a client certificate; SSL with an expired certificate, and with another host's."""


class SecuredKafka(LocalKafka):
    """One broker with all the listeners, and an open one for the test itself."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__(directory, free_port(consecutive=2 + len(LISTENERS)))
        self.ports = tuple(range(self.port, self.port + 2 + len(LISTENERS)))
        self._authority = authority

    def server(self, listener: str) -> str:
        """`host:port` of a listener."""
        return f"{LOOPBACK}:{self.ports[2 + LISTENERS.index(listener)]}"

    def start(self) -> None:
        super().start()
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        user = UserScramCredentialUpsertion(
            SCRAM_USER, ScramMechanism.SCRAM_SHA_512, PASSWORD, iterations=4096
        )
        admin.alter_user_scram_credentials([user])
        admin.close()

    def _java(self, *main: str) -> tuple[str, ...]:
        java, *options = super()._java(*main)
        # it lives for seconds: compiling well does not pay
        return (java, "-XX:TieredStopAtLevel=1", *options)

    def _configuration(self) -> str:
        protocols = ("SASL_SSL", "SSL", "SSL", "SSL")
        listeners = [f"{name}://{self.server(name)}" for name in LISTENERS]
        listeners += [f"PLAINTEXT://{LOOPBACK}:{self.port}", f"CONTROLLER://{LOOPBACK}:{self.port + 1}"]
        kinds = [f"{name}:{kind}" for name, kind in zip(LISTENERS, protocols, strict=True)]
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        values: dict[str, Any] = {
            "listeners": ",".join(listeners),
            "listener.security.protocol.map": ",".join(
                (*kinds, "PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT")
            ),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self._authority.file,
            "ssl.keystore.type": "PEM",
            "listener.name.clients.ssl.client.auth": "required",
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.login.plain.sasl.jaas.config": f"{plain} user_{PLAIN_USER}={_quoted(PASSWORD)};",
            "listener.name.login.scram-sha-512.sasl.jaas.config": scram,
        }
        for name, host, days in zip(
            LISTENERS, (LOOPBACK, LOOPBACK, LOOPBACK, "kafka.example"), (30, 30, -1, 30), strict=True
        ):
            store = self._authority.issue(f"kafka-{name.lower()}", (host,), days)
            values[f"listener.name.{name.lower()}.ssl.keystore.location"] = store
        # of two lines with the same key, the later counts
        return super()._configuration() + "".join(f"{k}={_escaped(str(v))}\n" for k, v in values.items())


def _quoted(text: str) -> str:
    """As a value of Java's login configuration."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    """As a value of a Java properties file."""
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in text.replace("\\", "\\\\"))


class SecuredRedis(LocalServer):
    """One Redis on a TLS port alone, with `certificate`; `user` may log in and do what the README says."""

    name, setting = "Redis", "local.redis_port"

    def __init__(self, directory: Path, authority: Authority, certificate: Path, clients: str = "no") -> None:
        self.port = free_port()
        directory.mkdir(parents=True)
        digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
        rights = "~{trimod}:* +@read +@write +@scripting +@transaction +@connection +info +time"
        acl = directory / "users.acl"
        acl.write_text(f"user default off\nuser {REDIS_USER} on #{digest} {rights}\n")
        tls = ("--tls-cert-file", str(certificate.with_suffix(".crt")), "--tls-key-file")
        tls += (str(certificate.with_suffix(".key")), "--tls-ca-cert-file", str(authority.file))
        command = ("redis-server", "--bind", LOOPBACK, "--port", "0", "--tls-port", str(self.port), *tls)
        command += (
            "--tls-auth-clients",
            clients,
            "--aclfile",
            str(acl),
            "--save",
            "",
            "--dir",
            str(directory),
        )
        super().__init__(Child(self.name, command, directory / "redis.log"), ports=(self.port,))

    @property
    def url(self) -> str:
        return f"rediss://{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        pass

    def answers(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True
