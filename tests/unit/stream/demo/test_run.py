"""What the demo leaves behind where it fails; the demo itself runs in tests/integration/commands/test_demo.py."""

import tempfile
from pathlib import Path

import pytest

from stream.demo.run import _own_folder
from stream.errors import LocalServerError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_what_fails_before_there_is_anything_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """Without redis-server there is neither data nor log: clearing up must not hide that."""
    said: list[str] = []
    with pytest.raises(LocalServerError, match="is not installed"), _own_folder(said.append):
        raise LocalServerError("redis-server is not installed")
    assert ([], []) == (said, list(tmp_path.iterdir()))


def test_the_logs_of_workers_that_failed_stay(tmp_path: Path) -> None:
    said: list[str] = []

    def run() -> None:
        with _own_folder(said.append) as folder:
            for name in ("data", "logs"):
                (folder / name).mkdir()
            raise LocalServerError("no luck")

    with pytest.raises(LocalServerError, match="no luck"):
        run()
    (folder,) = tmp_path.iterdir()
    assert [f"the workers' logs are kept in {folder / 'logs'}"] == said
    assert [folder / "logs"] == list(folder.iterdir())
