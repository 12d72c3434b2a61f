"""The end of a `trimod` process: exit codes and handlers as usual, but no teardown of the interpreter."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time
from stream.cli import main as cli

class Kept:
    def __del__(self):
        print("teardown")

kept = Kept()

def main():
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    atexit.register(print, "atexit")
    sys.exit({code})

cli.main = main
cli.run()
"""


@pytest.mark.parametrize(("code", "expected"), [("0", 0), ("None", 0), ("75", 75), ("True", 1)])
def test_threads_and_handlers_run_before_the_end_and_the_interpreter_is_not_torn_down(
    code: str, expected: int
) -> None:
    """Teardown with PyTorch loaded took a stopped worker past the 10 s in which it has promised to be gone."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(code=code)], capture_output=True, text=True)
    assert (expected, "thread\natexit\n", "") == (done.returncode, done.stdout, done.stderr)


def test_a_reader_that_has_left_is_no_error_message() -> None:
    program = "from stream.cli import main as cli\ncli.main = lambda: print('x' * 10)\ncli.run()"
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (141, b"") == (process.wait(), process.stderr.read())
