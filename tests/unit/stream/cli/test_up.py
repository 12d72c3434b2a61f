"""The commands that `trimod up` shows work as typed: the right program, and the settings that differ."""

import shlex
import sys
from pathlib import Path

import pytest

from stream.cli import up
from stream.config.kafka import Kafka
from stream.config.loading import load_settings
from stream.config.redis import Redis
from stream.config.settings import Settings


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(
            kafka=Kafka(bootstrap_servers="127.0.0.1:9192"), redis=Redis(url="redis://127.0.0.1:6479/0")
        ),
        Settings(
            kafka=Kafka(posts_topic="my posts", partitions=3), redis=Redis(prefix="it's", dedup_window=5)
        ),
    ],
)
def test_the_options_give_the_settings(settings: Settings) -> None:
    options = shlex.split(up._settings_options(settings))
    assert all(option == "--set" for option in options[::2])
    assert settings == load_settings(None, options[1::2], {})


def test_nothing_is_set_that_is_the_default() -> None:
    assert "" == up._settings_options(Settings())


def test_the_program_is_named_by_its_path_in_an_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "my venv" / "bin" / "trimod"
    monkeypatch.setattr(sys, "argv", [str(program), "up"])
    assert [str(program)] == shlex.split(up.trimod_command())


def test_a_program_on_the_path_is_named_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "trimod"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(program), "up"])
    assert "trimod" == up.trimod_command()


def test_a_module_is_called_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/stream/__main__.py", "up"])
    assert [sys.executable, "-m", "stream"] == shlex.split(up.trimod_command())
