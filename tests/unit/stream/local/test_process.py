"""Children end when they are told to, and when nobody is left to tell them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from stream.local.process import Child

STUBBORN = """
import signal, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""
COUNTING = """
import signal, time

told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(print("told", flush=True)))
print("ready", flush=True)
while not told:
    time.sleep(0.01)
time.sleep(0.2)
"""
PARENT = """
import sys, time
from pathlib import Path
from stream.local.process import Child

child = Child("sleeper", ("sleep", "60"), Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


def python(script: str, log: Path) -> Child:
    return Child("script", (sys.executable, "-c", script), log)


def wait_until_gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # dead, and only init has not read its exit code yet
            return True
        time.sleep(0.02)
    return False


def test_a_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":  # the leash has become the command
        time.sleep(0.01)
    parent.kill()
    parent.communicate()
    assert wait_until_gone(pid)


def test_stop_ends_a_child_that_listens_by_sigterm(tmp_path: Path) -> None:
    child = Child("sleeper", ("sleep", "60"), tmp_path / "log")
    child.start()
    child.stop()
    assert (False, -signal.SIGTERM) == (child.alive, child.exit_code)


def test_stop_ends_a_child_that_is_deaf_to_sigterm(tmp_path: Path) -> None:
    child = python(STUBBORN, tmp_path / "log")
    child.start()
    while not child.last_lines():
        time.sleep(0.02)
    child.stop(grace=0.1)
    assert (False, -signal.SIGKILL) == (child.alive, child.exit_code)


def test_a_child_is_told_to_end_only_once(tmp_path: Path) -> None:
    """A worker takes the second SIGTERM for `at once` and leaves its posts unfinished."""
    child = python(COUNTING, tmp_path / "log")
    child.start()
    while not child.last_lines():
        time.sleep(0.02)
    child.terminate()
    while len(child.last_lines()) < 2:
        time.sleep(0.02)
    child.stop()
    assert (["ready", "told"], 0) == (child.last_lines(), child.exit_code)


def test_stop_takes_the_children_of_the_child_along(tmp_path: Path) -> None:
    child = Child("shell", ("sh", "-c", "sleep 60 & echo $!; wait"), tmp_path / "log")
    child.start()
    while not child.last_lines():
        time.sleep(0.02)
    grandchild = int(child.last_lines()[0])
    child.stop()
    assert wait_until_gone(grandchild)


def test_a_child_that_never_ran_is_stopped_without_fuss(tmp_path: Path) -> None:
    child = Child("sleeper", ("sleep", "60"), tmp_path / "log")
    child.stop()
    assert (False, None) == (child.alive, child.exit_code)


def test_why_it_ended_is_told_by_the_last_run_alone(tmp_path: Path) -> None:
    """The log is appended to: words of an earlier run would explain the wrong end."""
    log = tmp_path / "log"
    log.write_text("an old story\n")
    child = python("import sys; sys.exit('no model')", log)
    child.start()
    while child.alive:
        time.sleep(0.02)
    assert f"script exited with code 1: no model (log: {log})" == child.why_it_ended()
    assert log.read_text().startswith("an old story\n")


def test_the_signal_that_killed_a_child_is_told_in_one_line(tmp_path: Path) -> None:
    """Its log says nothing of it: what it logged long before would only mislead."""
    child = python(STUBBORN, tmp_path / "log")
    child.start()
    while not child.last_lines():
        time.sleep(0.02)
    child.kill()
    assert "script was killed (SIGKILL)" == child.why_it_ended()


def test_a_long_log_is_one_short_line(tmp_path: Path) -> None:
    """It was 300 characters of the log, of three lines."""
    log = tmp_path / "log"
    code = "import sys; print('one'); print('two'); sys.exit('\\x1b[31m' + 'x' * 500)"
    child = Child("script", [sys.executable, "-c", code], log)
    child.start()
    while child.alive:
        time.sleep(0.05)
    line = "[31m" + "x" * 500
    assert f"script exited with code 1:  {line[:199]}... (log: {log})" == child.why_it_ended()
