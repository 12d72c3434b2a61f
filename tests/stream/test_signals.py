"""The first ending signal interrupts, the next ones do not disturb the clean-up."""

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
