"""Topics on a real broker."""

import pytest
from click.testing import CliRunner
from kafka.admin import ConfigResource

from models.core.errors import TrimodError
from stream.cli.topics import topics as topics_command
from stream.config.kafka import Kafka
from stream.kafka.topics import admin_client, describe_topics, ensure_topics, topic_names, topic_uuid
from stream.messages.base import MAX_DEAD_BYTES, MAX_POST_BYTES

pytestmark = pytest.mark.integration


def test_missing_topics_are_made_once_and_others_left_as_they_are(kafka: Kafka) -> None:
    other = kafka.model_copy(update={"posts_topic": f"{kafka.group}.other", "partitions": 3})
    assert [f"{kafka.group}.other"] == ensure_topics(other)
    assert [] == ensure_topics(other)
    assert [3, 8, 8, 1] == [info.partitions for info in describe_topics(other)]


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
