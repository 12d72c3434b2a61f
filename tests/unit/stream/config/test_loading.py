"""Settings: who wins, and that whatever is unknown or bad is named."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stream.config.base import ROOT
from stream.config.example import example
from stream.config.loading import load_settings
from stream.config.settings import Settings
from stream.errors import SettingsError


def test_flags_go_before_the_environment_before_the_file_before_defaults(tmp_path: Path) -> None:
    file = tmp_path / "trimod.toml"
    file.write_text('[kafka]\npartitions = 1\ngroup = "file"\nposts_topic = "file"\n')
    environment = {
        "TRIMOD_CONFIG": str(file),
        "TRIMOD_KAFKA__PARTITIONS": "2",
        "TRIMOD_KAFKA__GROUP": "environment",
    }
    kafka = load_settings(None, ["kafka.partitions=3"], environment).kafka
    assert (3, "environment", "file", "entities") == (
        kafka.partitions,
        kafka.group,
        kafka.posts_topic,
        kafka.entities_topic,
    )


@pytest.mark.parametrize(
    ("overrides", "environment", "named"),
    [
        (["kafka.partitons=3"], {}, "unknown setting 'kafka.partitons'"),
        (["kafak.partitions=3"], {}, "unknown setting 'kafak'"),
        (["kafka.partitions=many"], {}, "bad setting 'kafka.partitions'"),
        (["kafka.partitions=0"], {}, "bad setting 'kafka.partitions'"),
        (["partitions=3"], {}, "--set: expected section.key=value, got 'partitions'"),
        ([], {"TRIMOD_WORKER__DEVICE": "tpu"}, "bad setting 'worker.device'"),
        ([], {"TRIMOD_WROKER__DEVICE": "cpu"}, "unknown setting 'wroker'"),
        ([], {"TRIMOD_DEVICE": "cpu"}, "TRIMOD_DEVICE"),
        ([], {"TRIMOD_CONFIG": "/nowhere.toml"}, "/nowhere.toml"),
    ],
)
def test_what_is_wrong_is_named(overrides: list[str], environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as error:
        load_settings(None, overrides, environment)
    assert "\n" not in str(error.value)


def test_an_empty_images_root_is_none_and_not_the_current_folder() -> None:
    assert load_settings(None, [], {"TRIMOD_WORKER__IMAGES_ROOT": ""}).worker.images_root is None


@pytest.mark.parametrize("command", [("worker",), ("up",), ("tag", "-")])
def test_an_images_root_that_is_no_folder_stops_the_start(command: tuple[str, ...], tmp_path: Path) -> None:
    line = [sys.executable, "-m", "stream", *command, "--images-root", str(tmp_path / "none")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, input="")
    expected = f"trimod: bad setting 'worker.images_root': {tmp_path / 'none'} is not a directory\n"
    assert (2, "", expected) == (done.returncode, done.stdout, done.stderr)


def test_the_example_file_is_current_and_holds_the_defaults() -> None:
    """`make docs` writes it."""
    path = ROOT / "deploy" / "trimod.example.toml"
    assert example() == path.read_text(encoding="utf-8")
    values = tomllib.loads(example())
    for section in ("worker", "local"):
        for key, value in values[section].items():
            if isinstance(getattr(getattr(Settings(), section), key), Path):
                values[section][key] = str(ROOT / value)
    assert Settings() == Settings.model_validate(values)
