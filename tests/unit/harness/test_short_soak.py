"""The whole soak in seconds, with the fake tagger: its parts work together, and its figures are of this run."""

from pathlib import Path

import pytest

from tests.load.run import soak

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_a_soak_of_ten_seconds(tmp_path: Path) -> None:
    """The fake tagger takes 50 ms for a batch of whatever waits, so any machine has some posts per second."""
    said: list[str] = []
    report = soak(tmp_path, 1 / 6, 0.5, said.append, burst=2.0, every=1.0, kind=("fake", "0.05"))
    assert [] == report.failures
    assert 0.5 * report.full_rate == report.rate
    assert report.counts.sent == report.counts.receipts + report.counts.dead - report.counts.duplicates
    assert report.counts.sent >= 0.9 * report.rate * 10
    assert {0, 1} == {each["worker"] for each in report.workers}
    assert all(50 < each["rss_peak"] < 2000 for each in report.workers)
    assert 0 < report.latency["overall"]["p50"] < 30
    assert any(line.startswith("full rate") for line in said)
