"""The first ending signal interrupts, the next ones do not disturb the clean-up; what is ignored stays so."""

import os
import signal

import pytest

from stream.signals import ENDING, interruptible


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
