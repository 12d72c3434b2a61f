"""The wheel, installed where nothing else of the project is: the shipped checkpoint comes with it."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from stream.config.base import ROOT

pytestmark = pytest.mark.integration

SOURCES = ("stream", "models", "training", "setup.py", "pyproject.toml", "README.md", "LICENSE")

POST = "Auston Matthews is back in Toronto"


def run(
    command: list[str | Path], folder: Path, data: Path, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """`command` in `folder`, by a user whose data are in `data`."""
    environment = {**os.environ, "XDG_DATA_HOME": str(data)}
    return subprocess.run(
        command, cwd=folder, env=environment, input=text, capture_output=True, text=True, check=False
    )


def pip(*arguments: str | Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    assert 0 == said.returncode, said.stderr


def built(folder: Path) -> Path:
    """The wheel, built from a copy: setuptools leaves files beside the sources."""
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "deploy/checkpoints/trimod", folder / "deploy/checkpoints/trimod")
    pip("wheel", folder, "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist")
    [wheel] = (folder / "dist").iterdir()
    return wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel, which sees the packages that we need but not the checkout."""
    sources, home = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=True)
    [packages] = home.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if "site-packages" in path]
    (packages / "dependencies.pth").write_text("\n".join(ours))
    pip("--python", home / "bin" / "python", "install", "--no-deps", built(sources))
    return home / "bin"


def test_it_tags_from_any_folder_with_the_shipped_checkpoint(installed: Path, tmp_path: Path) -> None:
    done = run([installed / "trimod", "tag", "-"], tmp_path, tmp_path / "data", POST)
    assert 0 == done.returncode, done.stderr
    assert [("Auston Matthews", "PER"), ("Toronto", "LOC")] == [
        (mention["text"], mention["type"]) for mention in json.loads(done.stdout)["mentions"]
    ]


def test_the_tagger_loads_without_being_told_what(installed: Path, tmp_path: Path) -> None:
    script = f"from models.inference.tagger import Tagger; print(len(Tagger.load().tag(['{POST}'])[0]))"
    assert "2" == run([installed / "python", "-c", script], tmp_path, tmp_path / "data").stdout.strip()


def test_what_it_writes_is_in_the_users_data_folder(installed: Path, tmp_path: Path) -> None:
    script = (
        "import models; from stream.config.settings import Settings;"
        "print(Settings().local.directory, models.DEFAULT_POINTER)"
    )
    home = tmp_path / "data" / "trimod-stream"
    done = run([installed / "python", "-c", script], tmp_path, tmp_path / "data")
    assert f"{home} {home / 'current'}\n" == done.stdout


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["demo"], "the demo needs the repository (deploy/samples)"),
        (
            ["experiment", "shuffled-images", "--data", "."],
            "an experiment without --out needs the repository (training/results)",
        ),
        (["up"], "a local Kafka needs the repository (make kafka)"),
    ],
)
def test_what_needs_the_repository_says_so_in_a_line(
    installed: Path, tmp_path: Path, command: list[str], what: str
) -> None:
    done = run([installed / "trimod", *command], tmp_path, tmp_path / "data")
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert done.stderr.startswith(f"trimod: {what}")
