"""The fault points that other tests rely on: they must do what a line says, and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.core.post import Mention
from stream.pipeline.model import Tagged
from stream.pipeline.tagging import _work_on
from stream.runtime import fault_injection as faults
from stream.runtime.fault_injection import Fault, Faults
from stream.runtime.watchdog import ActivityTracker


def passes(file: Path, point: str, *texts: str, times: int = 1) -> list[str]:
    """What happened at each of `times` passes."""
    points, happened = Faults(file), []
    for _ in range(times):
        try:
            points.passing(point, texts)
            happened.append("")
        except (RuntimeError, MemoryError) as error:
            happened.append(type(error).__name__)
    return happened


def test_without_a_file_nothing_happens(tmp_path: Path) -> None:
    assert [""] == passes(tmp_path / "none", "counting")
    assert faults.fault is faults.fault_point(None)  # and in this process there are no fault points at all


class Unread:
    """A post of which nobody may read the text."""

    @property
    def text(self) -> str:
        raise AssertionError("read")


def test_where_faults_are_off_a_batch_costs_nothing() -> None:
    """Not even a look at its posts, of which the worker passes thousands a second."""

    class Tagger:
        def tag_prepared(self, batch: Sequence[Unread]) -> list[list[Mention]]:
            return [[] for _ in batch]

    tagger: Any = Tagger()
    assert [Tagged([])] * 2 == _work_on(tagger, ActivityTracker(lambda: 0.0), [Unread()] * 2)


def test_where_they_are_on_it_is_looked_for_the_marker(tmp_path: Path) -> None:
    file = tmp_path / "faults"
    file.write_text("inferring raise text=BOOM")
    point = faults.fault_point(str(file))
    point("inferring", [SimpleNamespace(text="calm")])
    with pytest.raises(RuntimeError):
        point("inferring", [SimpleNamespace(text="calm"), SimpleNamespace(text="BOOM")])


def test_the_nth_pass_of_its_point(tmp_path: Path) -> None:
    file = tmp_path / "faults"
    file.write_text("counting raise nth=2\npublishing memory\n")
    assert ["", "RuntimeError", ""] == passes(file, "counting", times=3)
    assert ["MemoryError"] * 2 == passes(file, "publishing", times=2)
    assert [""] == passes(file, "acking")


def test_only_passes_with_the_marked_post(tmp_path: Path) -> None:
    file = tmp_path / "faults"
    file.write_text("inferring raise text='the BOOM'\n")
    assert [""] == passes(file, "inferring", "a boom")
    assert ["RuntimeError"] * 2 == passes(file, "inferring", "a", "it is the BOOM", times=2)


def test_a_changed_file_counts_for_the_next_pass(tmp_path: Path) -> None:
    file = tmp_path / "faults"
    points = Faults(file)
    points.passing("acking", ())
    file.write_text("acking raise nth=1")
    with pytest.raises(RuntimeError):
        points.passing("acking", ())
    points.passing("acking", ())
    file.unlink()
    points.passing("acking", ())


@pytest.mark.parametrize("line", ["eating kill", "counting smile", "counting raise nht=1"])
def test_a_misspelt_fault_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="invalid fault"):
        Fault.parse(line)


def test_a_signal_to_this_process_or_to_another(tmp_path: Path) -> None:
    """In processes of their own, with the variable set as the chaos harness sets it."""
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    file = tmp_path / "faults"
    file.write_text(f"publishing term pid={victim.pid}\nacking kill\n")
    module = "stream.runtime.fault_injection"
    code = f"from {module} import fault\nfault('publishing')\nprint('lives', flush=True)\nfault('acking')"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, faults.VARIABLE: str(file)},
        cwd=Path(faults.__file__).resolve().parents[2],
        capture_output=True,
        timeout=60,
    )
    assert (-signal.SIGKILL, b"lives\n") == (ended.returncode, ended.stdout)
    assert -signal.SIGTERM == victim.wait(10)
