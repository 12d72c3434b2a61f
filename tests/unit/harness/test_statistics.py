"""A leak that is made up must be seen, and what only fills up at the beginning must not be taken for one."""

import random

import pytest

from tests.load.report.statistics import (
    grows_without_bound,
    largest_gap,
    per_minute,
    percentiles,
    slope_per_hour,
    thirds,
)


def memory(seconds: int, leak: float) -> list[tuple[float, float]]:
    """RSS in MiB every 5 s, noisy: 300 MiB in a warm-up of a tenth of the time, then `leak` per hour."""
    chance = random.Random(1)
    filling = seconds / 10
    return [
        (1e9 + at, 500 + 300 * min(1.0, at / filling) + leak * at / 3600 + chance.gauss(0, 2))
        for at in range(0, seconds, 5)
    ]


@pytest.mark.parametrize("leak", [0.0, 60.0, 600.0])
def test_a_leak_is_seen_through_noise_and_warm_up(leak: float) -> None:
    assert slope_per_hour(memory(1800, leak)) == pytest.approx(leak, abs=6)


def test_a_slope_needs_points() -> None:
    with pytest.raises(ValueError, match="two points"):
        slope_per_hour([(0.0, 1.0)])


def test_percentiles() -> None:
    assert {"p50": 50.0, "p95": 95.0, "p99": 99.0} == percentiles([float(n) for n in range(101)])


def test_thirds_are_of_time_and_not_of_points() -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (45.0, 4.0), (90.0, 5.0)]
    assert ([1.0, 2.0, 3.0], [5.0]) == thirds(points)


def test_minutes_count_from_the_beginning_and_empty_ones_are_left_out() -> None:
    rows = per_minute([(100.0, 1.0), (159.0, 3.0), (230.0, 5.0)], 100.0)
    assert [(0, 2, 2.0), (2, 1, 5.0)] == [(row["minute"], row["posts"], row["p50"]) for row in rows]


@pytest.mark.parametrize(
    ("lag", "grows"),
    [
        (lambda at: 30.0, False),
        (lambda at: 500.0 if 600 < at < 700 else 30.0, False),  # a hiccup that was caught up with
        (lambda at: at * 2, True),  # two posts per second more than are done
    ],
)
def test_lag_that_only_grows(lag: object, grows: bool) -> None:
    assert callable(lag)
    points = [(float(at), lag(at)) for at in range(0, 1800, 5)]
    assert grows == grows_without_bound(points, rate=20.0)


def test_the_largest_gap_is_between_an_end_and_the_next_beginning() -> None:
    assert largest_gap([(0.0, 1.0), (1.1, 5.0), (5.4, 5.5), (5.6, 9.0)]) == pytest.approx(0.4)
