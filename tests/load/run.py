"""A soak: the full rate is measured, then posts come at a share of it for minutes; what is watched is in report.py.

Everything is real: Kafka, Redis, two workers with the checkpoint of the settings, pictures by HTTP.
"""

import threading
import time
from pathlib import Path

from stream.config.settings import Settings
from tests.load.local_stack import Say, running
from tests.load.report.outcomes import Outcomes
from tests.load.report.process_sampler import Sample, Sampler
from tests.load.report.report import Counts, Report, cache_bounds, make_report
from tests.load.report.statistics import percentiles
from tests.load.traffic.posts import Posts
from tests.load.traffic.producer import Load
from tests.support.worker_processes import redis_totals

SEED = 4
FIRST = 200
"""Posts of the first burst, which wakes everything up and says how many the measured one takes."""
DRAIN = 180.0
"""Seconds that posts get to be done once no more come."""
TELL_EVERY = 15.0
"""Seconds between two lines of progress."""


def soak(
    directory: Path,
    minutes: float,
    share: float,
    say: Say,
    burst: float = 30.0,
    every: float = 5.0,
    kind: tuple[str, ...] = ("shipped",),
) -> Report:
    """`burst`: seconds for which the full rate is measured; `every`: seconds between two samples; `kind` of worker:
    see tests/load/worker.py."""
    with running(directory, say, lambda number: kind) as here:
        load = Load(here.settings.kafka, posts := Posts(SEED, here.picture_port))
        outcomes = Outcomes(here.settings.kafka)
        try:
            full = full_rate(load, outcomes, burst, say)
            sampler = Sampler(here, every, _Progress(say, minutes, outcomes))
            began = time.time()
            load.steady(share * full, time.monotonic() + 60 * minutes, threading.Event())
            sampler.close()
            if sampler.missed:
                say(f"{sampler.missed} looks at the workers failed: the figures are of the others")
            here.check()
        finally:
            load.close()
            wait_until_done(load, outcomes)
            outcomes.close()
        outcomes.check()
        model = here.health(0)
        here.stop_workers()
        latencies = sorted((each.at, each.latency) for each in outcomes.tagged if each.at >= began)
        return make_report(
            f"{model['model']} {model['version']}",
            share,
            full,
            began,
            count(here.settings, load, posts, outcomes),
            latencies,
            sampler.samples,
            cache_bounds(here.settings),
        )


def full_rate(load: Load, outcomes: Outcomes, seconds: float, say: Say) -> float:
    """Posts per second while a backlog of about `seconds` is worked off."""
    say("measuring the full rate")
    rate = _drained(load, outcomes, FIRST)
    rate = _drained(load, outcomes, max(FIRST, round(rate * seconds)))
    say(f"full rate: {rate:.1f} posts/s")
    return rate


def _drained(load: Load, outcomes: Outcomes, posts: int) -> float:
    began = time.monotonic()
    load.burst(posts)
    wait_until_done(load, outcomes)
    return posts / (time.monotonic() - began)


def wait_until_done(load: Load, outcomes: Outcomes) -> None:
    """Returns when every post is done, or none was for long: then some are lost, and the counts say so."""
    done, since = len(outcomes.done), time.monotonic()
    while len(outcomes.done) < len(load.confirmed) and time.monotonic() < since + DRAIN:
        outcomes.check()
        time.sleep(0.05)
        if len(outcomes.done) > done:
            done, since = len(outcomes.done), time.monotonic()


def count(settings: Settings, load: Load, posts: Posts, outcomes: Outcomes) -> Counts:
    """What became of the posts, once workers have ended."""
    return Counts(
        sent=load.sent,
        confirmed=len(load.confirmed),
        receipts=outcomes.receipts,
        dead=outcomes.dead,
        bad=posts.bad,
        duplicates=outcomes.duplicates,
        lost=len(load.confirmed - outcomes.done),
        totals_exact=outcomes.totals == redis_totals(settings),
    )


class _Progress:
    """A line every now and then."""

    def __init__(self, say: Say, minutes: float, outcomes: Outcomes) -> None:
        self._say, self._minutes, self._outcomes = say, minutes, outcomes
        self._began = self._told = time.monotonic()

    def __call__(self, samples: list[Sample]) -> None:
        now = time.monotonic()
        if now < self._told + TELL_EVERY:
            return
        recent = [
            each.latency
            for each in self._outcomes.tagged[-5000:]
            if each.at > time.time() - (now - self._told)
        ]
        shown = "no receipts"
        if recent:
            shares = percentiles(recent)
            shown = (
                f"{len(recent) / (now - self._told):.1f} receipts/s, p50 {shares['p50']:.2f} s, "
                f"p95 {shares['p95']:.2f} s"
            )
        memory = " and ".join(f"{each.rss:.0f}" for each in samples)
        lag = sum(each.lag for each in samples)
        self._say(
            f"{(now - self._began) / 60:5.1f} of {self._minutes:g} min: {shown}, lag {lag}, RSS {memory} MiB"
        )
        self._told = now
