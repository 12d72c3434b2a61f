"""Progress in a log: who reads it in the middle of an epoch sees how far it is, and not a line for each step."""

import io

import pytest
from rich.console import Console
from rich.progress import TextColumn

from training.engine.progress import EVERY, TrainingProgress


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("by", ["advance", "update"])
def test_a_log_gets_a_line_a_minute(by: str) -> None:
    written, clock = io.StringIO(), Clock()
    loss = TextColumn("loss {task.fields[loss]:.1f}")
    watch = TrainingProgress(loss, console=Console(file=written, width=200), get_time=clock)
    task = watch.add_task("epoch 1/3", total=100, loss=2.5)
    for _ in range(50):
        clock.now += EVERY / 20
        watch.advance(task) if by == "advance" else watch.update(task, advance=1)
    expected = ["epoch 1/3 20/100 0:04:00 loss 2.5", "epoch 1/3 40/100 0:03:00 loss 2.5"]
    assert expected == [" ".join(line.split()) for line in written.getvalue().splitlines()]


def test_a_terminal_gets_the_bar_alone() -> None:
    written, clock = io.StringIO(), Clock()
    watch = TrainingProgress(console=Console(file=written, force_terminal=True), get_time=clock)
    task = watch.add_task("epoch 1/3", total=100)
    clock.now = 2 * EVERY
    watch.advance(task)
    assert written.getvalue() == ""
