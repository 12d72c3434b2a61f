"""What the errors of the Kafka client mean: wait, start again, or mend a setting."""

import pytest
from aiokafka import errors as kafka_errors

from stream.errors import BrokenWorker, PassingFault, Refused, SettingsError
from stream.group import explain, may_pass
from stream.settings import Kafka

KAFKA = Kafka(group="g", posts_topic="p", session_timeout=9.0)


@pytest.mark.parametrize(
    ("error", "meaning", "said"),
    [
        (kafka_errors.InconsistentGroupProtocolError(), PassingFault, "group g is in use"),
        (kafka_errors.KafkaError(repr(kafka_errors.UnknownError())), PassingFault, "group g is in use"),
        (kafka_errors.GroupAuthorizationFailedError("g"), Refused, "group g: allow READ"),
        (kafka_errors.TopicAuthorizationFailedError("p"), Refused, "topic p: allow READ"),
        (kafka_errors.InvalidGroupIdError(), SettingsError, "'kafka.group'"),
        (kafka_errors.InvalidSessionTimeoutError(), SettingsError, "'kafka.session_timeout': 9 s"),
        (kafka_errors.CorruptRecordException("Invalid CRC"), BrokenWorker, "Invalid CRC"),
        (ValueError("anything"), BrokenWorker, "anything"),
    ],
)
def test_each_error_has_its_meaning(error: Exception, meaning: type[Exception], said: str) -> None:
    found = explain(error, KAFKA)
    assert (meaning, True) == (type(found), said in str(found))
    assert (meaning is PassingFault) == may_pass(error, KAFKA)


def test_our_own_errors_stay_as_they_are() -> None:
    own = PassingFault("away")
    assert own is explain(own, KAFKA)
