"""What a worker tells Prometheus of its state; read when it is asked for. What it counts is in stream/metrics.py."""

from stream.backoff import Backoff
from stream.commits import Commits
from stream.delivery import Delivery
from stream.eviction import SAFE, Eviction
from stream.intake import Intake
from stream.metrics import Metrics
from stream.pipeline import Pipeline
from stream.trust import Trust


def register_gauges(
    metrics: Metrics,
    group: str,
    intake: Intake,
    pipeline: Pipeline,
    delivery: Delivery,
    commits: Commits,
    backoff: Backoff,
    trust: Trust,
    eviction: Eviction,
) -> None:
    """`group` is the consumer group, whose counters are trusted or not."""
    metrics.gauges(
        "trimod_queue_depth",
        "Posts waiting, per stage; `work`: all in work.",
        "stage",
        lambda: {"intake": intake.waiting(), **pipeline.depths(), "work": delivery.in_work},
    )
    metrics.gauges("trimod_lag", "Posts in the log that are not committed.", "partition", commits.lag)
    metrics.gauges(
        "trimod_waiting",
        "1 for each that waits for a passing fault to pass.",
        "who",
        lambda: dict.fromkeys(backoff.waiting, 1.0),
    )
    metrics.gauges("trimod_cache_entries", "Things kept in memory, per cache.", "cache", pipeline.caches)
    metrics.gauges(
        "trimod_counters_trusted",
        "0 where Redis lost counts: `trimod counters rebuild` mends it.",
        "group",
        lambda: {group: float(not trust.lost)},
    )
    metrics.gauges(
        "trimod_redis_may_evict",
        "1 where Redis's maxmemory-policy lets it drop counts: set it to noeviction.",
        "policy",
        lambda: {eviction.policy: float(eviction.policy != SAFE)} if eviction.policy else {},
    )
