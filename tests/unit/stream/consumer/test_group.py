"""What the errors of the Kafka client mean: wait, start again, or mend a setting."""

import pytest
from aiokafka import errors as kafka_errors

from stream.config.kafka import Kafka
from stream.consumer.group import explain, may_be_in_use
from stream.consumer.static_membership import FencedInstanceIdError
from stream.errors import AccessDenied, BrokenWorker, PassingFault, SettingsError

KAFKA = Kafka(group="g", posts_topic="p", session_timeout=9.0)


@pytest.mark.parametrize(
    ("error", "meaning", "said"),
    [
        (kafka_errors.InconsistentGroupProtocolError(), PassingFault, "group g is in use"),
        (kafka_errors.KafkaError(repr(kafka_errors.UnknownError())), BrokenWorker, "UnknownError"),
        (kafka_errors.GroupAuthorizationFailedError("g"), AccessDenied, "group g: allow READ"),
        (kafka_errors.TopicAuthorizationFailedError("p"), AccessDenied, "topic p: allow READ"),
        (kafka_errors.InvalidGroupIdError(), SettingsError, "'kafka.group'"),
        (kafka_errors.InvalidSessionTimeoutError(), SettingsError, "'kafka.session_timeout': 9 s"),
        (FencedInstanceIdError("a at b"), SettingsError, "'worker.instance_id': another worker has joined"),
        (kafka_errors.KafkaError(repr(FencedInstanceIdError())), SettingsError, "'worker.instance_id'"),
        (kafka_errors.CorruptRecordException("Invalid CRC"), BrokenWorker, "Invalid CRC"),
        (ValueError("anything"), BrokenWorker, "anything"),
    ],
)
def test_each_error_has_its_meaning(error: Exception, meaning: type[Exception], said: str) -> None:
    found = explain(error, KAFKA)
    assert (meaning, True) == (type(found), said in str(found))


def test_our_own_errors_stay_as_they_are() -> None:
    own = PassingFault("away")
    assert own is explain(own, KAFKA)


@pytest.mark.parametrize(
    ("error", "maybe"),
    [
        (kafka_errors.InconsistentGroupProtocolError(), True),
        (kafka_errors.KafkaError(repr(kafka_errors.UnknownError())), True),
        (kafka_errors.KafkaError("Unexpected exception in heartbeat task: UnknownError()"), False),
        (kafka_errors.GroupAuthorizationFailedError("g"), False),
        (kafka_errors.KafkaError(repr(FencedInstanceIdError())), False),
    ],
)
def test_what_may_mean_that_others_have_the_group(error: Exception, maybe: bool) -> None:
    """An error without a class of its own is asked about; one of the heartbeat is none of joining."""
    assert maybe == may_be_in_use(error)
