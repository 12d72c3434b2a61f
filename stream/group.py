"""The consumer group as others see it: why it cannot be joined, and who else is in it.

Kafka lets in nobody who speaks another protocol than the members that are there: an application with other assignors,
or a consumer of the new protocol (KIP-848). That passes when they leave, so it is waited for by name; what no wait
changes ends the worker with exit code 2.
"""

from typing import Any

from aiokafka import errors as kafka_errors
from kafka import KafkaAdminClient

from models.errors import TrimodError, one_line
from stream.errors import BrokenWorker, PassingFault, Refused, SettingsError
from stream.lag import patiently
from stream.settings import Kafka
from stream.topics import admin_client

SHOWN = 3
"""Members that are named."""


def explain(error: BaseException, kafka: Kafka) -> TrimodError:
    """What an error of the Kafka client means for this worker; its class says what is to be done."""
    if isinstance(error, TrimodError):
        return error
    # UnknownError: Kafka 4 cannot read Faust's subscription where a consumer of the new protocol is in the group
    if _is(error, kafka_errors.InconsistentGroupProtocolError, kafka_errors.UnknownError):
        return PassingFault(
            f"group {kafka.group} is in use by another kind of consumer: stop it, or set kafka.group"
        )
    if _is(error, kafka_errors.GroupAuthorizationFailedError):
        return Refused(
            f"Kafka does not let us use group {kafka.group}: allow READ on it (kafka.username), or set kafka.group"
        )
    if _is(error, kafka_errors.TopicAuthorizationFailedError):
        return Refused(
            f"Kafka does not let us read topic {kafka.posts_topic}: allow READ on it (kafka.username)"
        )
    if _is(error, kafka_errors.InvalidGroupIdError):
        return SettingsError(f"bad setting 'kafka.group': the broker takes no group {kafka.group!r}")
    if _is(error, kafka_errors.InvalidSessionTimeoutError):
        return SettingsError(
            f"bad setting 'kafka.session_timeout': {kafka.session_timeout:g} s is outside the broker's limits "
            "(group.min.session.timeout.ms, group.max.session.timeout.ms)"
        )
    return BrokenWorker(f"the Kafka client cannot go on: {one_line(error)}")


def may_pass(error: BaseException, kafka: Kafka) -> bool:
    """Whether joining the group may work later."""
    return isinstance(explain(error, kafka), PassingFault)


def who_is_in(kafka: Kafka) -> str:
    """Who has the group: its protocol and some members, as far as Kafka tells us. Raises PassingFault."""
    with admin_client(kafka) as admin:
        found = patiently(lambda: admin.describe_groups([kafka.group]))[kafka.group]
        if found["members"]:
            return (
                f"protocol {found['protocol_data'] or found['protocol_type']}, {_members(found['members'])}"
            )
        return _type(admin, kafka.group)


def members(kafka: Kafka) -> int:
    """How many members the group has; 0 where there is no such group. Raises PassingFault."""
    with admin_client(kafka) as admin:
        return len(patiently(lambda: admin.describe_groups([kafka.group]))[kafka.group]["members"])


def _type(admin: KafkaAdminClient, name: str) -> str:
    """Of a group that a classic request does not describe."""
    for group in admin.list_groups():
        if group["group_id"] == name:
            kind, state = group.get("group_type") or "classic", str(group.get("group_state") or "unknown")
            return f"a group of type {kind}, state {state.lower()}"
    return "members that Kafka does not show us"


def _members(members: list[dict[str, Any]]) -> str:
    names = [f"{each['client_id']} at {each['client_host'].lstrip('/')}" for each in members[:SHOWN]]
    more = f" and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
    return f"members {', '.join(names)}{more}"


def _is(error: BaseException, *kinds: type[Exception]) -> bool:
    """Whether `error` is of one of these kinds, or wraps one: aiokafka puts some into the text of a KafkaError."""
    wrapped = str(error) if isinstance(error, kafka_errors.KafkaError) else ""
    return isinstance(error, kinds) or any(f"{kind.__name__}(" in wrapped for kind in kinds)
