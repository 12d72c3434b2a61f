"""A pointer file names one folder, and nobody ever reads half of it."""

import threading
from pathlib import Path

import pytest

from models import DEFAULT_CHECKPOINT, DEFAULT_POINTER
from models.checkpoints.pointer import resolve
from models.checkpoints.promotion import point
from models.core.errors import CheckpointError


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert tmp_path == resolve(tmp_path)


def test_a_training_run_is_told_from_its_checkpoint(tmp_path: Path) -> None:
    """Its own files look dangerous in a checkpoint; who removed them, as was advised, lost the run."""
    (tmp_path / "last.pt").touch()
    with pytest.raises(
        CheckpointError, match=rf"is a training run: its checkpoint is {tmp_path}/checkpoint$"
    ):
        resolve(tmp_path)


def test_what_was_pointed_to_is_found_also_after_both_moved(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "a").mkdir(parents=True)
    point(home / "current", home / "a")
    assert "a\n" == (home / "current").read_text()
    assert (home / "a") == resolve(home / "current")
    home.rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "a") == resolve(tmp_path / "moved" / "current")


def test_a_folder_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    point(tmp_path / "home" / "current", tmp_path / "far")
    assert f"{tmp_path / 'far'}\n" == (tmp_path / "home" / "current").read_text()


def test_until_something_is_promoted_the_shipped_one_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    if not DEFAULT_POINTER.exists():
        assert DEFAULT_CHECKPOINT == resolve(DEFAULT_POINTER)


@pytest.mark.parametrize("text", ["", "\n", "a\nb\n", "x" * 5000, "a\0b", "missing"])
def test_what_is_no_pointer_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "current").write_text(text)
    with pytest.raises(CheckpointError, match="pointer file") as caught:
        resolve(tmp_path / "current")
    assert "\n" not in str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="neither a directory nor a pointer file"):
        resolve(tmp_path / "none")


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a directory"):
        point(tmp_path, tmp_path)


def test_readers_find_the_old_or_the_new(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    pointer = tmp_path / "current"
    point(pointer, tmp_path / "a")
    done, found = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            found.add(resolve(pointer).name)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        point(pointer, tmp_path / "ab"[number % 2])
    done.set()
    reader.join()
    assert found <= {"a", "b"}
    assert ["a", "b", "current"] == sorted(path.name for path in tmp_path.iterdir())
