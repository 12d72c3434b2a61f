"""A worker that the group has forgotten asks who has its name before it joins again (without a broker)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import for_code

from stream.config.kafka import Kafka
from stream.consumer import static_membership
from stream.consumer.static_membership import FencedInstanceIdError, StaticMembership
from stream.errors import PassingFault


class Coordinator:
    """aiokafka's, as far as joining goes."""

    _group_instance_id = "one"

    def __init__(self) -> None:
        self.member_id, self.joins = "one-1", 0

    def reset_generation(self) -> None:
        self.member_id = ""

    async def _do_rejoin_group(self, subscription: Any) -> bool:
        self.joins += 1
        return True


@pytest.fixture
def coordinator() -> Coordinator:
    found = Coordinator()
    thread = SimpleNamespace(_create_consumer=None)
    app = SimpleNamespace(consumer=SimpleNamespace(_thread=thread))
    StaticMembership(app, Kafka()).watch(found)
    return found


def rejoin(coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> bool:
    left = list(answers)

    def described(kafka: Kafka) -> dict[str, Any]:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        host = {"client_id": "c", "client_host": "/10.0.0.1"}
        return {
            "members": [{"group_instance_id": name, "member_id": member, **host} for name, member in answer]
        }

    monkeypatch.setattr(static_membership, "described", described)
    monkeypatch.setattr(static_membership, "ASK_AGAIN", 0.0)
    return asyncio.run(coordinator._do_rejoin_group(None))


def test_the_first_join_and_a_rebalance_ask_nobody(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rejoin(coordinator, monkeypatch)
    assert 1 == coordinator.joins


def test_a_worker_whose_name_another_has_is_fenced(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator.reset_generation()
    with pytest.raises(FencedInstanceIdError, match=r"c at 10\.0\.0\.1"):
        rejoin(coordinator, monkeypatch, [("two", "two-1"), ("one", "one-2")])
    assert 0 == coordinator.joins


@pytest.mark.parametrize("members", [[], [("two", "two-1")], [(None, "three-1")], [("one", "one-1")]])
def test_a_worker_that_was_only_slow_joins_again(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch, members: list[tuple[str | None, str]]
) -> None:
    coordinator.reset_generation()
    assert rejoin(coordinator, monkeypatch, members)
    assert 1 == coordinator.joins


def test_it_joins_only_once_it_knows(coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator.reset_generation()
    assert not rejoin(coordinator, monkeypatch, PassingFault("away"))
    coordinator.reset_generation()  # a second one does not forget who we were
    assert not rejoin(coordinator, monkeypatch, PassingFault("away"))
    with pytest.raises(FencedInstanceIdError):
        rejoin(coordinator, monkeypatch, [("one", "one-2")])


def test_the_brokers_code_has_a_class() -> None:
    """aiokafka 0.14 has none; should this fail after an upgrade, use its own."""
    assert FencedInstanceIdError is for_code(82)
