"""The consumer group: why a worker cannot join it, and who is in it.

Kafka refuses members whose protocol differs from that of the current members: an application with other assignors, or a
consumer of the new protocol (KIP-848). This passes when they leave, so it is a named wait. Errors that waiting cannot
fix stop the worker with exit code 2.
"""

from typing import Any

from aiokafka import errors as kafka_errors
from kafka import KafkaAdminClient

from models.core.errors import TrimodError, one_line
from stream.config.kafka import Kafka
from stream.errors import AccessDenied, BrokenWorker, PassingFault, SettingsError
from stream.kafka.topics import admin_client, patiently

FENCED = 82
"""Kafka's error code FENCED_INSTANCE_ID."""
OURS = "faust"
"""Protocol of our workers: the name of Faust's assignor."""
SHOWN = 3
"""Number of members to report."""


def explain(error: BaseException, kafka: Kafka) -> TrimodError:
    """The error of the Kafka client as one of ours; its class decides what to do."""
    if isinstance(error, TrimodError):
        return error
    if _is(error, kafka_errors.InconsistentGroupProtocolError):
        return PassingFault(in_use(kafka))
    if _fenced(error):
        return SettingsError(
            "bad setting 'worker.instance_id': another worker has joined the group with the same name. Give each "
            "worker its own, or leave it empty"
        )
    if _is(error, kafka_errors.GroupAuthorizationFailedError):
        return AccessDenied(
            f"Kafka denies access to group {kafka.group}: allow READ on it (kafka.username), or set kafka.group"
        )
    if _is(error, kafka_errors.TopicAuthorizationFailedError):
        return AccessDenied(
            f"Kafka denies access to topic {kafka.posts_topic}: allow READ on it (kafka.username)"
        )
    if _is(error, kafka_errors.InvalidGroupIdError):
        return SettingsError(f"bad setting 'kafka.group': the broker rejects the group name {kafka.group!r}")
    if _is(error, kafka_errors.InvalidSessionTimeoutError):
        return SettingsError(
            f"bad setting 'kafka.session_timeout': {kafka.session_timeout:g} s is outside the broker's limits "
            "(group.min.session.timeout.ms, group.max.session.timeout.ms)"
        )
    return BrokenWorker(f"the Kafka client cannot continue: {one_line(error)}")


def in_use(kafka: Kafka) -> str:
    """The message if others use the group."""
    return f"group {kafka.group} is in use by another kind of consumer: stop it, or set kafka.group"


def may_be_in_use(error: BaseException) -> bool:
    """Whether an error while joining may mean that others use the group: then `who_is_in` finds out.

    Kafka 4 answers with UNKNOWN_SERVER_ERROR if a consumer of the new protocol is in the group, because it cannot read
    Faust's subscription. Other errors without a class in aiokafka 0.14 look the same."""
    unknown = repr(kafka_errors.UnknownError())
    return _is(error, kafka_errors.InconsistentGroupProtocolError) or error.args == (unknown,)


def who_is_in(kafka: Kafka) -> str:
    """Which other kind of consumer uses the group: its protocol and some members, as far as Kafka reports them. Empty
    if there are only Faust's. Raises PassingFault."""
    with admin_client(kafka) as admin:
        found = _described(admin, kafka.group)
        if not found["members"]:
            return _new_kind(admin, kafka.group)
        protocol = found["protocol_data"] or found["protocol_type"]
        return "" if protocol == OURS else f"protocol {protocol}, {_members(found['members'])}"


def described(kafka: Kafka) -> dict[str, Any]:
    """What Kafka knows of the group, with its `members`. Raises PassingFault."""
    with admin_client(kafka) as admin:
        return _described(admin, kafka.group)


def members(kafka: Kafka) -> int:
    """The number of members of the group; 0 if there is no such group. Raises PassingFault."""
    with admin_client(kafka) as admin:
        return len(_described(admin, kafka.group)["members"])


def _described(admin: KafkaAdminClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = patiently(lambda: admin.describe_groups([name]))[name]
    return found


def _new_kind(admin: KafkaAdminClient, name: str) -> str:
    """Describes a group that a classic request does not describe."""
    for group in admin.list_groups():
        kind = group.get("group_type") or "classic"
        if group["group_id"] == name and kind != "classic":
            return f"a group of type {kind}, state {str(group.get('group_state') or 'unknown').lower()}"
    return ""


def _members(members: list[dict[str, Any]]) -> str:
    names = [f"{each['client_id']} at {each['client_host'].lstrip('/')}" for each in members[:SHOWN]]
    more = f" and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
    return f"members {', '.join(names)}{more}"


def _fenced(error: BaseException) -> bool:
    """Whether `error` is or wraps a FencedInstanceIdError (stream/consumer/static_membership.py)."""
    return getattr(error, "errno", None) == FENCED or "FencedInstanceIdError(" in str(error)


def _is(error: BaseException, kind: type[Exception]) -> bool:
    """Whether `error` is of this kind, or wraps one: aiokafka puts some errors into the text of a KafkaError."""
    wrapped = str(error) if isinstance(error, kafka_errors.KafkaError) else ""
    return isinstance(error, kind) or f"{kind.__name__}(" in wrapped
