"""What /health and /ready say of a worker: live, ready, and why not.

What a worker tells Prometheus of its state; read when it is asked for. What it counts is in stream/pipeline/metrics.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.consumer.committer import Commits
from stream.consumer.intake import Intake
from stream.consumer.progress import JOINING
from stream.counters.eviction import SAFE, Eviction
from stream.counters.integrity import Trust
from stream.pipeline.delivery import Delivery
from stream.pipeline.metrics import Metrics
from stream.pipeline.stages import Pipeline
from stream.runtime.retry import Backoff


@dataclass(frozen=True, slots=True)
class Health:
    """One look at a worker. The model is loaded before anybody can ask."""

    state: str
    """starting, running, draining or broken."""
    model: str
    version: str
    partitions: Sequence[int]
    """Assigned to it."""
    unknown: Sequence[int]
    """Those of them of which it is not known yet where to begin."""
    broken: str
    """Why it cannot go on; empty where it can."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Who waits for what passing fault to pass."""
    counters: str = ""
    """Why the counters are not to be trusted."""
    refused: str = ""
    """Why the promoted checkpoint is not in use."""
    eviction: str = ""
    """Why Redis may lose counts by itself."""

    @property
    def live(self) -> bool:
        """Whether it makes sense to wait for it, rather than to start another."""
        return self.state != "broken" and not self.broken

    @property
    def reasons(self) -> list[str]:
        """Why it is not live, or not ready; empty where it is both."""
        reasons = [self.broken] if self.broken else []
        if self.state != "running":
            reasons.append(f"it is {self.state}")
        elif not self.partitions:
            reasons.append("no partitions are assigned")
        if self.unknown:
            reasons.append(f"partitions {' '.join(map(str, self.unknown))}: not known yet where to begin")
        for who, why in self.waiting.items():
            if self.state == "starting" or who == JOINING:
                reasons.append(f"{who} waits: {why}")
        return reasons

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "state": self.state,
            "live": self.live,
            "ready": not self.reasons,
            "reasons": self.reasons,
            "model": self.model,
            "version": self.version,
            "partitions": list(self.partitions),
            "waiting": self.waiting,
            "counters": self.counters or "trusted",
            "redis": self.eviction or "keeps all counts",
            "checkpoint": self.refused or "as promoted",
        }


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
