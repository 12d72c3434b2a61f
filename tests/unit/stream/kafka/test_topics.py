"""What is said where no broker is; topics on a real one are in tests/integration."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from kafka.errors import CoordinatorLoadInProgressError

from stream.config.kafka import Kafka
from stream.errors import PassingFault, SettingsError
from stream.kafka import topics
from stream.kafka.topics import describe, ensure_topics, patiently
from stream.local.server import free_port


def test_no_broker_is_one_line_that_names_the_address_in_bounded_time() -> None:
    server = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "stream", "topics", "--set", f"kafka.bootstrap_servers={server}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    advice = "start one (`trimod up`) or set kafka.bootstrap_servers"
    expected = f"trimod: no Kafka broker answers at {server}: {advice}\n"
    assert (PassingFault.exit_code, "", expected) == (done.returncode, done.stdout, done.stderr)


def test_an_address_that_is_none_names_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"kafka\.bootstrap_servers"):
        ensure_topics(Kafka(bootstrap_servers="somewhere:else"))


def test_a_broker_that_sets_up_its_groups_is_asked_again_for_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def ask() -> dict[str, str]:
        asked.append(1)
        if len(asked) == 2:
            return {"group": "Stable"}
        raise CoordinatorLoadInProgressError

    assert {"group": "Stable"} == patiently(ask)
    monkeypatch.setattr(topics, "REQUEST_TIMEOUT", 0.0)
    with pytest.raises(CoordinatorLoadInProgressError):
        patiently(ask)
    assert 3 == len(asked)


def test_a_broker_of_the_cluster_that_is_older_than_the_first_is_reported() -> None:
    """Its answer has no UUIDs; it was a KeyError."""
    client = SimpleNamespace(describe_topics=lambda names: [{"name": "posts", "error_code": 0}])
    with pytest.raises(SettingsError, match=r"a Kafka broker is older than 2\.8: 2\.8 or newer is needed"):
        describe(client, ["posts"])
