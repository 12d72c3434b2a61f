"""`trimod demo` as a user types it: figures that agree with the sample file; nothing left, whatever happens.

Everything it starts has its temporary folder among its arguments or settings, or works in it: so it is found.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.demo.run import SAMPLES
from stream.errors import BadPost
from stream.messages.posts import decode_post
from stream.sources.jsonl import prepare, read_lines

COMMAND = [sys.executable, "-m", "stream", "demo"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def environment(folder: Path) -> dict[str, str]:
    """The demo's temporary folder goes below `folder`."""
    return {**os.environ, "TMPDIR": str(folder)}


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that know `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            command = (process / "cmdline").read_bytes()
            known = command + (process / "environ").read_bytes() + os.fsencode((process / "cwd").readlink())
            if os.fsencode(folder) in known:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def sample_counts() -> tuple[int, int]:
    """(records, bad posts) of the sample file."""
    bad = 0
    with (SAMPLES / "posts.jsonl").open("rb") as stream:
        values = [prepare(line, SAMPLES, False).value for line in read_lines(stream)]
    for value in values:
        try:
            decode_post(value)
        except BadPost:
            bad += 1
    return len(values), bad


def test_demo_tags_every_sample_and_leaves_nothing(tmp_path):
    done = subprocess.run(COMMAND, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = re.fullmatch(
        r"demo: posts=(\d+) tagged=(\d+) dead=(\d+) entities=(\d+) posts_per_s=(\d+\.\d)",
        done.stdout.splitlines()[-1],
    )
    assert figures, done.stdout
    posts, tagged, dead, entities = map(int, figures.groups()[:4])
    expected_posts, expected_dead = sample_counts()
    assert (expected_posts, expected_posts - expected_dead, expected_dead) == (posts, tagged, dead)
    assert entities > 0
    assert float(figures[5]) > 0
    assert "field 'text' is missing" in done.stdout
    assert list(tmp_path.glob("trimod*")) == []  # torch leaves a cache folder of its own
    assert processes_of(tmp_path) == []


def test_ctrl_c_stops_everything(tmp_path):
    with subprocess.Popen(COMMAND, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "starting 2 workers" in line:
                break
        time.sleep(1)  # into their start
        assert len(processes_of(tmp_path)) >= 5  # the demo, Kafka, Redis, two workers
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(60) == 130
    assert list(tmp_path.glob("trimod*")) == []  # torch leaves a cache folder of its own
    assert processes_of(tmp_path) == []


def test_a_worker_that_cannot_start_is_quoted_and_its_log_is_kept(tmp_path):
    command = [*COMMAND, "--set", "worker.device=cuda:99"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"trimod: worker \d exited with code \d+: .+ \(log: .+\)\n", done.stderr), done.stderr
    (folder,) = tmp_path.glob("trimod*")
    assert [path.name for path in folder.iterdir()].count("logs") == 1
    assert processes_of(tmp_path) == []


def test_a_missing_checkpoint_is_said_before_anything_starts(tmp_path):
    command = [*COMMAND, "--checkpoint", str(tmp_path / "none")]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"trimod: no checkpoint at {tmp_path / 'none'}: neither a directory nor a pointer file\n"
    )
