"""What ends a worker, and what must not."""

import pytest

from stream.errors import BrokenWorker, FailedOnPost
from stream.runtime.watchdog import CLOSE_WITHIN, Liveness, Watchdog


class Dog(Watchdog):
    """A watchdog whose clock the test moves."""

    def __init__(self) -> None:
        self.failed: list[BrokenWorker] = []
        self.killed: list[int] = []
        super().__init__(10.0, 30.0, self.failed.append, self.killed.append)

    def after(self, seconds: float, liveness: Liveness | None = None) -> None:
        """So many seconds pass; the loop turns, unless there are no signs of it."""
        for _ in range(round(seconds)):
            self._seconds += 1.0
            if liveness is not None:
                self.beat(liveness)
            self.look()


@pytest.fixture
def dog() -> Dog:
    return Dog()


def test_nothing_to_do_is_no_stall(dog: Dog) -> None:
    dog.after(1000, Liveness(behind=False))
    assert ([], []) == (dog.failed, dog.killed)


def test_work_and_commits_is_no_stall(dog: Dog) -> None:
    for commits in range(50):
        dog.after(29, Liveness(commits, behind=True))
    assert ([], []) == (dog.failed, dog.killed)


def test_a_named_wait_is_no_stall_and_the_time_counts_from_its_end(dog: Dog) -> None:
    dog.after(600, Liveness(behind=True, waiting=True))
    dog.after(29, Liveness(behind=True))
    assert [] == dog.failed
    dog.after(3, Liveness(behind=True))
    assert 1 == len(dog.failed)


def test_work_and_no_commits_ends_the_worker_once_and_gives_it_time(dog: Dog) -> None:
    dog.after(35, Liveness(behind=True))
    (reason,) = dog.failed
    assert "no progress for 30 s while posts are pending" in str(reason)
    assert not isinstance(reason, FailedOnPost)  # no post is to blame
    assert [] == dog.killed
    dog.after(CLOSE_WITHIN, Liveness(behind=True))
    assert 1 == dog.killed[0]


def test_a_post_that_keeps_a_thread_hangs(dog: Dog) -> None:
    with dog.activity("tagging"):
        dog.after(9, Liveness())
        assert [] == dog.failed
        dog.after(3, Liveness())
    (reason,) = dog.failed
    assert isinstance(reason, FailedOnPost)
    assert "tagging" in str(reason)


def test_one_post_after_another_is_no_hang(dog: Dog) -> None:
    for _ in range(5):
        with dog.activity("tagging"):
            dog.after(9, Liveness())
    assert [] == dog.failed


def test_a_batch_that_goes_on_in_parts_is_neither_a_hang_nor_a_stall(dog: Dog) -> None:
    """One post of 100,000 characters may take minutes on a small machine."""
    with dog.activity("tagging"):
        for _ in range(10):
            dog.after(9, Liveness(behind=True))
            dog.activity.part_done()
    assert [] == dog.failed


def test_a_loop_that_does_not_turn_ends_the_process_at_once(dog: Dog) -> None:
    dog.after(5, Liveness())
    dog.after(11)
    assert [1] == dog.killed


def test_an_end_is_bounded_and_the_last_code_counts(dog: Dog) -> None:
    dog.end_within(9.0, 1)
    dog.after(5, Liveness())
    dog.end_within(1.0, 0)
    assert [] == dog.killed
    dog.after(1, Liveness())
    assert [0] == dog.killed


def test_the_clock_stands_still_while_the_process_is_stopped(
    dog: Dog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was stopped for ten minutes has not hung for ten minutes."""
    times = iter([100.0, 100.25, 700.25, 700.5])

    class Enough(Exception):
        pass

    def monotonic() -> float:
        try:
            return next(times)
        except StopIteration:
            raise Enough from None

    monkeypatch.setattr("stream.runtime.watchdog.time.monotonic", monotonic)
    monkeypatch.setattr("stream.runtime.watchdog.time.sleep", lambda _: None)
    with pytest.raises(Enough):
        dog._run()
    assert dog.clock() <= 1.5
