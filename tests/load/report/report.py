"""What a soak found: figures out of samples and outcomes, what failed, and all of it as text and JSON.

A slope or a drift fails nothing by itself, it is for the reader to judge: on a machine that others use too, both move.
Lost posts, wrong counts, a cache beyond its bound and a lag that goes on growing fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from models.hashtags.segmenter import SegmenterConfig
from models.text.post_encoder import MAX_TOKENS_REMEMBERED
from stream.config.settings import Settings
from tests.load.report.process_sampler import Sample
from tests.load.report.statistics import grows_without_bound, per_minute, percentiles, slope_per_hour, thirds


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the posts."""

    sent: int
    confirmed: int
    receipts: int
    dead: int
    bad: int
    """Posts that were made to be dead."""
    duplicates: int
    lost: int
    """Confirmed by the broker, and neither tagged nor dead."""
    totals_exact: bool
    """Whether Redis has just the mentions of the first receipt of each post."""

    @property
    def failures(self) -> list[str]:
        """What was promised of posts and does not hold."""
        failures = []
        if self.confirmed != self.sent:
            failures.append(f"{self.sent - self.confirmed} posts were not taken by the broker")
        if self.lost:
            failures.append(f"{self.lost} posts are lost: no receipt, no dead letter")
        if self.dead != self.bad:
            failures.append(f"{self.dead} posts are dead where {self.bad} are bad")
        if not self.totals_exact:
            failures.append("the totals in Redis are not those of the receipts")
        return failures


@dataclass(frozen=True, slots=True)
class Report:
    """One soak. Latencies in seconds, memory in MiB, times in epoch seconds."""

    model: str
    minutes: float
    share: float
    full_rate: float
    rate: float
    counts: Counts
    workers: list[dict[str, Any]]
    latency: dict[str, Any]
    lag: dict[str, Any]
    failures: list[str]
    samples: list[Sample]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def cache_bounds(settings: Settings) -> dict[str, int]:
    """Cache -> the most that it may hold."""
    return {
        "pictures by url": settings.fetch.cache,
        "image features": settings.worker.image_cache,
        "tokens": MAX_TOKENS_REMEMBERED,
        "hashtags": SegmenterConfig().memo,
    }


def make_report(
    model: str,
    share: float,
    full_rate: float,
    began: float,
    counts: Counts,
    latencies: Sequence[tuple[float, float]],
    samples: Sequence[Sample],
    bounds: Mapping[str, int],
) -> Report:
    """`latencies` are (time, seconds) of the soak alone, which `began` after the full rate was measured, in order of
    time."""
    lags = _lags(samples)
    rate = share * full_rate
    workers = [
        _worker([each for each in samples if each.worker == number])
        for number in sorted({each.worker for each in samples})
    ]
    grows = grows_without_bound(lags, rate)
    first, last = thirds(lags)
    lag = {
        "max": max(value for _, value in lags),
        "median_first_third": median(first),
        "median_last_third": median(last),
        "grows": grows,
    }
    return Report(
        model=model,
        minutes=(samples[-1].at - began) / 60,
        share=share,
        full_rate=full_rate,
        rate=rate,
        counts=counts,
        workers=workers,
        latency=_latency(latencies, began),
        lag=lag,
        failures=_failures(counts, grows, workers, bounds),
        samples=list(samples),
    )


def _lags(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Of all workers together, per round."""
    first = {each.worker for each in samples}
    rounds = zip(
        *([each for each in samples if each.worker == number] for number in sorted(first)), strict=True
    )
    return [(looks[0].at, float(sum(each.lag for each in looks))) for looks in rounds]


def _worker(samples: Sequence[Sample]) -> dict[str, Any]:
    rss = [(each.at, each.rss) for each in samples]
    early, late = thirds(rss)
    names = sorted({name for each in samples for name in each.caches})
    return {
        "worker": samples[0].worker,
        "rss_mib_per_hour": slope_per_hour(rss),
        "rss_median_first_third": median(early),
        "rss_median_last_third": median(late),
        "rss_peak": max(value for _, value in rss),
        "files": [min(each.files for each in samples), max(each.files for each in samples)],
        "threads": [min(each.threads for each in samples), max(each.threads for each in samples)],
        "caches": {name: max(each.caches.get(name, 0) for each in samples) for name in names},
    }


def _latency(latencies: Sequence[tuple[float, float]], began: float) -> dict[str, Any]:
    first, last = map(percentiles, thirds(latencies))
    return {
        "overall": percentiles([value for _, value in latencies]),
        "first_third": first,
        "last_third": last,
        "drift": {name: last[name] - first[name] for name in ("p50", "p95")},
        "per_minute": per_minute(latencies, began),
    }


def _failures(
    counts: Counts, grows: bool, workers: Sequence[Mapping[str, Any]], bounds: Mapping[str, int]
) -> list[str]:
    failures = counts.failures
    if grows:
        failures.append("lag was still growing at the end")
    for worker in workers:
        for name, most in worker["caches"].items():
            if most > bounds[name]:
                failures.append(
                    f"worker {worker['worker']}: cache {name} held {most}, at most {bounds[name]}"
                )
    return failures


def as_text(report: Report) -> str:
    """For people."""
    counts, latency, lag = report.counts, report.latency, report.lag
    lines = [
        f"soak of {report.minutes:.1f} min with {report.model}",
        f"full rate {report.full_rate:.1f} posts/s, load {report.share:.0%} of it: {report.rate:.1f} posts/s",
        f"posts: {counts.sent} sent, {counts.receipts} receipts, {counts.dead} dead ({counts.bad} made so), "
        f"{counts.duplicates} tagged twice, {counts.lost} lost; totals {'exact' if counts.totals_exact else 'WRONG'}",
    ]
    for worker in report.workers:
        caches = ", ".join(f"{name} {most}" for name, most in worker["caches"].items())
        lines.append(
            f"worker {worker['worker']}: RSS slope {worker['rss_mib_per_hour']:+.1f} MiB/h "
            f"(median {worker['rss_median_first_third']:.0f} -> {worker['rss_median_last_third']:.0f} MiB, thirds; "
            f"peak {worker['rss_peak']:.0f}); files {_range(worker['files'])}, threads {_range(worker['threads'])}; "
            f"caches at most: {caches or 'none'}"
        )
    lines.append(
        f"latency: p50 {latency['overall']['p50']:.3f} s, p95 {latency['overall']['p95']:.3f} s, "
        f"p99 {latency['overall']['p99']:.3f} s; drift, last third against first: "
        f"p50 {latency['drift']['p50']:+.3f} s, p95 {latency['drift']['p95']:+.3f} s"
    )
    lines.append(
        f"lag: at most {lag['max']:.0f} posts; median {lag['median_first_third']:.0f} in the first third, "
        f"{lag['median_last_third']:.0f} in the last"
    )
    lines.append("minute   posts     p50     p95     p99  (seconds)")
    lines += [
        f"{each['minute']:>6} {each['posts']:>7} {each['p50']:>7.3f} {each['p95']:>7.3f} {each['p99']:>7.3f}"
        for each in latency["per_minute"]
    ]
    lines += [f"FAILED: {failure}" for failure in report.failures] or ["nothing failed"]
    return "\n".join(lines) + "\n"


def _range(ends: Sequence[int]) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
