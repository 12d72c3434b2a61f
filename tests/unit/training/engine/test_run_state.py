"""One process at a time trains in a folder."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from training.engine.run_state import LOCK, alone

OTHER = """
import sys
import time
from pathlib import Path
from training.engine.run_state import alone
with alone(Path(sys.argv[1], "run", "lock")):
    print("begun", flush=True)
    sys.stdin.readline()
    time.sleep(0.5)
    Path(sys.argv[1], "trained").touch()
"""


def test_a_folder_in_which_another_process_trains_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two experiments side by side trained a run that they share at once, and wrote the same files."""
    said: list[str] = []
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert "begun\n" == other.stdout.readline()

        def end_the_other(message: str, *arguments: object) -> None:
            said.append(message % arguments)
            assert other.stdin is not None
            other.stdin.close()

        monkeypatch.setattr(logging.getLogger("training.engine.run_state"), "warning", end_the_other)
        with alone(tmp_path / "run" / LOCK):
            assert (tmp_path / "trained").exists()
    assert [f"{tmp_path}/run/lock: another process works here, waiting until it ends"] == said
    with alone(tmp_path / "run" / LOCK):  # it is free again
        assert 1 == len(said)
