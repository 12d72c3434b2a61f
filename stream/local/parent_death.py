"""Runs a command that dies with its parent: `python parent_death.py PARENT_PID COMMAND...`.

Asks the kernel (Linux, prctl) for SIGKILL when the parent dies, then becomes the command. So no child outlives its
supervisor, even if SIGKILL killed that. To the kernel, the parent is the *thread* that started the child: start
children from the main thread. This is a separate file and not a `preexec_fn`, because Python code between fork and exec
may deadlock in a process with threads. It uses only the standard library, because it runs with `-I -S`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before prctl took effect
        os._exit(1)
    os.execvp(command[0], command)  # noqa: S606 - a fixed argument list, and no shell is the point


if __name__ == "__main__":
    main()
