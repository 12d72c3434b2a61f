"""What every test needs to find, however the tests were started.

One thread for torch's kernels: on tiny models two threads on two busy cores mostly wait for each other. And Ctrl-C
heeded: a shell starts what it puts in the background with SIGINT ignored, which the commands under test would inherit.
And hypothesis may be slow: on a fresh checkout it makes its tables of Unicode first, beside a starting broker.
"""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("busy machine", suppress_health_check=[HealthCheck.too_slow])


settings.load_profile("busy machine")


os.environ.setdefault("OMP_NUM_THREADS", "1")


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
