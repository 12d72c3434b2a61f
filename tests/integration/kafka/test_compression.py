"""Records in every compression that producers and topics use: tagged by a worker, and read by every command.

Posts are sent by librdkafka, as most producers that are not Java send them.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka.admin import ConfigResource, ConfigResourceType

from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.kafka.topics import admin_client, topic_names
from tests.support.commands import trimod
from tests.support.worker_processes import (
    LONG,
    committed,
    expected_totals,
    post,
    receipts,
    redis_totals,
    wait_until,
    workers,
)

pytestmark = pytest.mark.integration

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def produce(kafka: Kafka, codec: str, values: Iterable[bytes]) -> None:
    """All in batches of this codec, to all partitions."""
    options = {"bootstrap.servers": kafka.bootstrap_servers, "compression.type": codec, "linger.ms": 50}
    producer = Producer({**options, "message.max.bytes": 9 * 2**20})
    for number, value in enumerate(values):
        producer.produce(kafka.posts_topic, value, partition=number % kafka.partitions)
    assert producer.flush(30) == 0


def test_posts_of_every_codec_are_tagged(settings: Settings, tmp_path: Path) -> None:
    """Small ones that share a batch, and one whose megabytes are compressed to a few kilobytes."""
    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        for number, codec in enumerate(CODECS):
            few = range(100 * number, 100 * number + 40)
            produce(kafka, codec, [post(n, f"in Rome{n}") for n in few])
            produce(kafka, codec, [post(100 * number + 40, "in Oslo", more="x" * 3_000_000)])
        wait_until(lambda: sum(committed(kafka).values()) == 41 * len(CODECS), LONG, "all are committed")
        assert running[0].stop() < 10
    sent = {f"p{100 * number + n}" for number in range(len(CODECS)) for n in range(41)}
    assert sent == {receipt.post_id for receipt in receipts(kafka)}


def compress_topics(kafka: Kafka, codec: str) -> None:
    with admin_client(kafka) as admin:
        admin.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, name, {"compression.type": codec})
                for name in topic_names(kafka)
            ]
        )


@pytest.mark.parametrize("codec", CODECS[1:])
def test_topics_of_every_compression_are_written_and_read(
    settings: Settings, tmp_path: Path, codec: str
) -> None:
    """The broker compresses whatever is sent: posts, events, receipts and dead letters."""
    kafka = settings.kafka
    compress_topics(kafka, codec)
    with workers(settings, tmp_path, 0.0) as running:
        produce(kafka, "none", [*(post(n, f"in Rome{n}") for n in range(30)), b"no post"])
        wait_until(lambda: sum(committed(kafka).values()) == 31, LONG, "all are committed")
        assert running[0].stop() < 10
    code, events, stderr = trimod(settings, "tail", "--from-beginning", "--max", "30", "--json")
    assert (0, 30, "") == (code, len(events.splitlines()), stderr)
    code, letters, stderr = trimod(settings, "dead", "list", "--json")
    assert (0, 1, "") == (code, len(letters.splitlines()), stderr)
    code, said, stderr = trimod(settings, "counters", "rebuild")
    assert (0, True, "") == (code, said.startswith("rebuilt from 30 receipts"), stderr)
    assert expected_totals(receipts(kafka)) == redis_totals(settings)
