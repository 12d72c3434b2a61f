"""What must fail a soak fails it, and the report says what it found."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.load.report.plot import draw
from tests.load.report.process_sampler import Sample
from tests.load.report.report import Counts, Report, as_text, make_report

FINE = Counts(
    sent=5000, confirmed=5000, receipts=4990, dead=10, bad=10, duplicates=0, lost=0, totals_exact=True
)
BOUNDS = {"tokens": 100}


def samples(leak: float = 0.0, lag: float = 0.0, cached: int = 100) -> list[Sample]:
    """Half an hour of two workers; `leak` MiB per hour in the second, `lag` posts per second behind."""
    return [
        Sample(
            at=1e9 + at,
            worker=worker,
            rss=700 + worker * leak * at / 3600,
            threads=8,
            files=20 + worker,
            lag=round(10 + lag * at / 2),
            work=5,
            caches={"tokens": cached},
        )
        for at in range(0, 1800, 5)
        for worker in range(2)
    ]


def report(found: list[Sample], counts: Counts = FINE) -> Report:
    latencies = [(1e9 + at, 0.1 if at < 1200 else 0.3) for at in range(1795)]
    return make_report("model 1", 0.7, 10.0, 1e9, counts, latencies, found, BOUNDS)


def test_all_is_well() -> None:
    found = report(samples())
    assert [] == found.failures
    assert [7.0, 29.9] == pytest.approx([found.rate, found.minutes], abs=0.1)
    assert found.latency["drift"] == {"p50": pytest.approx(0.2), "p95": pytest.approx(0.2)}
    assert 30 == len(found.latency["per_minute"])
    assert "nothing failed" in as_text(found)


def test_a_made_up_leak_is_in_the_report_of_the_worker_that_has_it() -> None:
    found = report(samples(leak=120.0))
    assert [0.0, 120.0] == pytest.approx([each["rss_mib_per_hour"] for each in found.workers], abs=0.01)
    assert "worker 1: RSS slope +120.0 MiB/h" in as_text(found)


@pytest.mark.parametrize(
    ("found", "counts", "failure"),
    [
        (samples(lag=1.0), FINE, "lag was still growing"),
        (samples(cached=101), FINE, "cache tokens held 101, at most 100"),
        (samples(), replace(FINE, lost=1), "1 posts are lost"),
        (samples(), replace(FINE, confirmed=4999), "not taken by the broker"),
        (samples(), replace(FINE, dead=11), "11 posts are dead where 10 are bad"),
        (samples(), replace(FINE, totals_exact=False), "totals in Redis"),
    ],
)
def test_what_fails_a_soak(found: list[Sample], counts: Counts, failure: str) -> None:
    (said, *_) = report(found, counts).failures
    assert failure in said
    assert f"FAILED: {said}" in as_text(report(found, counts))


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "soak.png"
    draw(report(samples()), file)
    assert file.read_bytes().startswith(b"\x89PNG")
