"""The arithmetic of a soak: slopes, percentiles, thirds. Pure functions of lists."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

WARM_UP = 0.2
"""Share of the time at the beginning that no slope is taken of: caches fill, the allocator grows."""

Points = Sequence[tuple[float, float]]
"""(seconds, value)."""


def slope_per_hour(points: Points) -> float:
    """Least-squares slope of the points after the warm-up, per hour."""
    if len(points) < 2:
        raise ValueError("a slope needs two points at least")
    begin = points[0][0] + WARM_UP * (points[-1][0] - points[0][0])
    times, values = zip(*(point for point in points if point[0] >= begin), strict=True)
    slope, _ = np.polyfit(np.array(times) - times[0], np.array(values), 1)
    return float(slope) * 3600


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th."""
    shares = np.percentile(np.array(values), [50, 95, 99])
    return dict(zip(("p50", "p95", "p99"), map(float, shares), strict=True))


def thirds(points: Points) -> tuple[list[float], list[float]]:
    """The values of the first third of the time and of the last."""
    begin, end = points[0][0], points[-1][0]
    third = (end - begin) / 3
    return (
        [value for at, value in points if at <= begin + third],
        [value for at, value in points if at >= end - third],
    )


def per_minute(points: Points, begin: float) -> list[dict[str, float]]:
    """Percentiles of each minute since `begin` that has any."""
    minutes: dict[int, list[float]] = {}
    for at, value in points:
        minutes.setdefault(int((at - begin) // 60), []).append(value)
    return [
        {"minute": minute, "posts": len(values), **percentiles(values)}
        for minute, values in sorted(minutes.items())
    ]


def grows_without_bound(lags: Points, rate: float) -> bool:
    """Whether lag was still rising at the end: its median in the last third lies by more than ten seconds' posts above
    that in the first."""
    first, last = thirds(lags)
    return float(np.median(last)) - float(np.median(first)) > 10 * rate


def largest_gap(batches: Sequence[tuple[float, float]]) -> float:
    """The longest time between the end of a batch and the beginning of the next."""
    return max((after[0] - before[1] for before, after in pairwise(batches)), default=0.0)
