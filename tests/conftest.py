"""One thread for torch's kernels: on tiny models two threads on two busy cores mostly wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
