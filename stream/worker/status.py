"""What /health and /ready say of a worker (live, ready, and why not), and the state that /metrics reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from models.core.errors import TrimodError
from stream.consumer.progress import JOINING
from stream.counters.eviction import SAFE
from stream.worker.wiring import Parts


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


def health_of(parts: Parts) -> Health:
    """How the worker is now."""
    model, partitions, error = parts.pipeline.active.model, parts.partitions.values(), parts.guard.error
    return Health(
        state=parts.life.state,
        model=model.name,
        version=model.version,
        partitions=sorted(each.id.partition for each in partitions),
        unknown=sorted(each.id.partition for each in partitions if not each.start.done()),
        broken=str(error) if isinstance(error, TrimodError) else repr(error) if error else "",
        waiting=dict(parts.backoff.waiting),
        counters=parts.trust.lost,
        refused=parts.switch.refused,
        eviction=parts.eviction.warning,
    )


def register_gauges(parts: Parts) -> None:
    """What is read when it is asked for; what is counted is in stream/pipeline/metrics.py."""
    gauges, backoff, eviction = parts.metrics.gauges, parts.backoff, parts.eviction
    gauges(
        "trimod_queue_depth",
        "Posts waiting, per stage; `work`: all in work.",
        "stage",
        lambda: {
            "intake": parts.intake.waiting(),
            **parts.pipeline.depths(),
            "work": parts.delivery.in_work,
        },
    )
    gauges("trimod_lag", "Posts in the log that are not committed.", "partition", parts.commits.lag)
    gauges(
        "trimod_waiting",
        "1 for each that waits for a passing fault to pass.",
        "who",
        lambda: dict.fromkeys(backoff.waiting, 1.0),
    )
    gauges("trimod_cache_entries", "Things kept in memory, per cache.", "cache", parts.pipeline.caches)
    gauges(
        "trimod_counters_trusted",
        "0 where Redis lost counts: `trimod counters rebuild` mends it.",
        "group",
        lambda: {parts.settings.kafka.group: float(not parts.trust.lost)},
    )
    gauges(
        "trimod_redis_may_evict",
        "1 where Redis's maxmemory-policy lets it drop counts: set it to noeviction.",
        "policy",
        lambda: {eviction.policy: float(eviction.policy != SAFE)} if eviction.policy else {},
    )
