"""Settings of Kafka: brokers, group, topics, and how the link is secured."""

from typing import Literal, Self

from pydantic import Field, model_validator

from stream.config.base import Section, bad
from stream.config.secured import LOGIN_KEYS, TLS_KEYS, Secured, check_secrets, only_with


class Brokers(Section):
    """The fields before the login."""

    bootstrap_servers: str = "127.0.0.1:9092"
    """Comma-separated list of brokers to contact first, each as `host:port`."""
    group: str = "trimod"
    """Consumer group of the workers. The counters in Redis use it as the application name."""
    posts_topic: str = "posts"
    """Topic that workers read posts from."""
    entities_topic: str = "entities"
    """Topic for entity events: one record per mention."""
    tagged_topic: str = "posts.tagged"
    """Topic for receipts: one record per tagged post."""
    dead_topic: str = "posts.dead"
    """Topic for dead letters: the original bytes of every post that cannot be tagged."""
    partitions: int = Field(8, ge=1, le=10_000)
    """Partition count of new topics. Make it a multiple of the largest worker count."""
    replication_factor: int = Field(1, ge=1)
    """Replication factor of new topics. Use 3 in production."""
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """`read_committed` reads posts of a transaction once it is committed, and skips those of an aborted one. As in
    every Kafka consumer, posts behind an open transaction wait until it ends. `read_uncommitted` reads all at once."""
    session_timeout: float = Field(10.0, ge=1.0)
    """Seconds without a heartbeat after which a worker's partitions are reassigned."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    """`SSL` is TLS, with a certificate of our own where the brokers want one; `SASL_SSL` TLS with user and password."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How SASL_SSL proves the password."""


class Kafka(Secured, Brokers):
    username: str = ""
    """User of SASL_SSL."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_kafka(self)
        return self


def check_kafka(kafka: Kafka) -> None:
    """Raise SettingsError where the protocol and what is given for it do not fit."""
    if kafka.security_protocol == "PLAINTEXT":
        only_with(kafka, TLS_KEYS, "kafka.security_protocol = SSL or SASL_SSL")
    if kafka.security_protocol != "SASL_SSL":
        only_with(kafka, LOGIN_KEYS, "kafka.security_protocol = SASL_SSL")
    elif not kafka.username:
        raise bad(kafka, "username", "SASL_SSL needs a user")
    elif not (kafka.password or kafka.password_file):
        raise bad(kafka, "password", "SASL_SSL needs it, or kafka.password_file")
    check_secrets(kafka)
