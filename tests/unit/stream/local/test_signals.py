"""The first ending signal interrupts, the next ones do not disturb the clean-up; what is ignored stays so."""

import os
import signal
from collections.abc import Iterator

import pytest

from stream.local.signals import ENDING, interruptible


@pytest.fixture
def heeded() -> Iterator[None]:
    """Every ending signal as a shell leaves it: under `nohup make test`, one of them would be ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_interrupts_and_the_second_does_not(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    cleaned = False

    def block() -> None:
        nonlocal cleaned
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            cleaned = True

    with pytest.raises(KeyboardInterrupt), interruptible():
        block()
    assert cleaned
    assert before is signal.getsignal(number)


def test_a_signal_that_is_ignored_stays_so() -> None:
    """`nohup trimod up &` goes on when its terminal hangs up."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.SIG_IGN is signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
