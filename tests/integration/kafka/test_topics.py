"""Topics on a real broker."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kafka.admin import ConfigResource

from models.core.errors import TrimodError
from stream.cli.topics import topics as topics_command
from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.kafka.topic_layout import grow_topics
from stream.kafka.topics import admin_client, describe_topics, ensure_topics, topic_names, topic_uuid
from stream.messages.base import MAX_DEAD_BYTES, MAX_POST_BYTES
from tests.support.worker_processes import (
    LONG,
    committed,
    expected_totals,
    post,
    receipts,
    redis_totals,
    send,
    wait_until,
    workers,
)  # fmt: skip

pytestmark = pytest.mark.integration


def test_missing_topics_are_made_once_and_others_left_as_they_are(kafka: Kafka) -> None:
    other = kafka.model_copy(update={"posts_topic": f"{kafka.group}.other", "partitions": 3})
    assert [f"{kafka.group}.other"] == ensure_topics(other)
    assert [] == ensure_topics(other)
    assert [3, 8, 8, 1] == [info.partitions for info in describe_topics(other)]


def run(kafka: Kafka, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `trimod topics`."""
    names = ("posts_topic", "entities_topic", "tagged_topic", "dead_topic", "bootstrap_servers")
    own = [part for name in names for part in ("--set", f"kafka.{name}={getattr(kafka, name)}")]
    command = [sys.executable, "-m", "stream", "topics", *own, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def partitions(kafka: Kafka) -> list[int]:
    return [info.partitions for info in describe_topics(kafka)]


def test_create_warns_where_a_topic_is_not_as_set(kafka: Kafka) -> None:
    code, _, warned = run(
        kafka, "--create", "--set", "kafka.partitions=16", "--set", "kafka.replication_factor=3"
    )
    names = topic_names(kafka)
    grow = "has 8 partitions, and kafka.partitions is 16: add partitions with `trimod topics --grow`"
    replicas = (
        "has the replication factor 1, and kafka.replication_factor is 3: "
        "change it with kafka-reassign-partitions.sh"
    )
    expected = [f"warning: {name} {what}" for name in names[:3] for what in (grow, replicas)]
    assert (0, [*expected, f"warning: {names[3]} {replicas}"]) == (code, warned.splitlines())
    assert [8, 8, 8, 1] == partitions(kafka)


def test_create_warns_of_receipts_that_are_deleted_and_of_posts_that_are_too_large(kafka: Kafka) -> None:
    with admin_client(kafka) as client:
        client.alter_configs(
            [
                ConfigResource("topic", kafka.tagged_topic, {"retention.ms": "60000"}),
                ConfigResource("topic", kafka.posts_topic, {"max.message.bytes": "1000"}),
                ConfigResource("topic", kafka.entities_topic, {"max.message.bytes": str(2**30)}),
            ]
        )
    code, _, warned = run(kafka, "--create")
    expected = [
        f"warning: {kafka.posts_topic} has max.message.bytes=1000, and should have {MAX_POST_BYTES}: change it with "
        "kafka-configs.sh",
        f"warning: {kafka.tagged_topic} has retention.ms=60000, and should have -1: change it with kafka-configs.sh",
    ]
    assert (0, expected) == (code, warned.splitlines())


def test_what_is_as_set_gives_no_warning(kafka: Kafka) -> None:
    code, listed, warned = run(kafka, "--create", "--grow")
    assert (0, "", False) == (code, warned, "moved" in listed)


def test_grow_adds_partitions_and_says_what_that_means(kafka: Kafka) -> None:
    code, listed, warned = run(kafka, "--grow", "--set", "kafka.partitions=12")
    assert (0, "", 3) == (code, warned, listed.count("8 before, now 12"))
    assert "Keys have moved" in listed
    assert [12, 12, 12, 1] == partitions(kafka)


def test_grow_does_not_shrink(kafka: Kafka) -> None:
    code, _, told = run(kafka, "--grow", "--set", "kafka.partitions=4")
    [line] = told.splitlines()
    assert (2, True) == (code, line.startswith("trimod: bad setting 'kafka.partitions': 4 is less than"))
    assert "Kafka cannot remove partitions" in line
    assert [8, 8, 8, 1] == partitions(kafka)


def test_grow_leaves_a_topic_that_has_more_and_warns(kafka: Kafka) -> None:
    few = kafka.model_copy(update={"posts_topic": f"{kafka.group}.few", "partitions": 2})
    ensure_topics(few)
    code, _, warned = run(few, "--grow", "--set", "kafka.partitions=4")
    assert (0, [4, 8, 8, 1]) == (code, partitions(few))
    cannot = "has 8 partitions, and kafka.partitions is 4: Kafka cannot remove partitions"
    assert [f"warning: {name} {cannot}" for name in topic_names(few)[1:3]] == warned.splitlines()


def test_a_running_worker_reads_partitions_that_are_added(settings: Settings, tmp_path: Path) -> None:
    kafka = settings.kafka
    with workers(settings, tmp_path, 0.0) as running:
        send(kafka, [post(n, f"in Rome{n}") for n in range(16)])
        wait_until(lambda: sum(committed(kafka).values()) == 16, LONG, "the first are committed")
        more = kafka.model_copy(update={"partitions": 12})
        assert 3 == len(grow_topics(more))
        send(more, [post(n, f"in Oslo{n}") for n in range(16, 40)], 16)
        wait_until(lambda: sum(committed(kafka).values()) == 40, LONG, "those on new partitions too")
        assert set(range(12)) == set(committed(kafka))
        assert running[0].stop() < 10
    assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_topics_take_posts_and_dead_letters_of_their_full_size(kafka: Kafka) -> None:
    with admin_client(kafka) as client:
        answer = client.describe_configs([ConfigResource("topic", name) for name in topic_names(kafka)])[
            "topic"
        ]
    limits = [int(answer[name]["max.message.bytes"]["value"]) for name in topic_names(kafka)]
    assert [MAX_POST_BYTES] * 3 + [MAX_DEAD_BYTES] == limits


def test_receipts_and_dead_letters_are_kept_for_ever_and_the_rest_as_the_broker_has_it(kafka: Kafka) -> None:
    """Counters are rebuilt from receipts: those that a broker drops after its 7 days would be missing."""
    with admin_client(kafka) as client:
        answer = client.describe_configs([ConfigResource("topic", name) for name in topic_names(kafka)])[
            "topic"
        ]
    kept = [answer[name].get("retention.ms", {}).get("value") for name in topic_names(kafka)]
    assert [None, None, "-1", "-1"] == kept


def test_a_topic_made_anew_has_another_uuid(kafka: Kafka) -> None:
    """Its offsets begin again: the counters' high-water marks of the old one must not hold for it."""
    before = topic_uuid(kafka, kafka.dead_topic)
    assert before == topic_uuid(kafka, kafka.dead_topic)
    with admin_client(kafka) as client:
        client.delete_topics([kafka.dead_topic])
    while not ensure_topics(kafka):  # the broker hears of the deletion some milliseconds later
        pass
    assert before != topic_uuid(kafka, kafka.dead_topic)


def test_the_uuid_of_no_topic_is_an_error_that_names_it(kafka: Kafka) -> None:
    with pytest.raises(TrimodError, match="no topic nowhere at"):
        topic_uuid(kafka, "nowhere")


def test_the_command_lists_missing_topics_and_makes_them(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMOD_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("TRIMOD_KAFKA__POSTS_TOPIC", f"{kafka.group}.new")
    runner = CliRunner()
    assert "missing" in runner.invoke(topics_command, []).output
    assert "created now" in runner.invoke(topics_command, ["--create"]).output
    assert "created now" not in runner.invoke(topics_command, ["--create"]).output
