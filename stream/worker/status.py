"""The content of /health and /ready (live, ready, and why not), and the state that /metrics reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from models.core.errors import TrimodError
from stream.consumer.progress import JOINING
from stream.counters.eviction import SAFE
from stream.worker.wiring import WorkerComponents


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a worker. The model is loaded before the endpoints start."""

    state: str
    """starting, running, draining or broken."""
    model: str
    version: str
    partitions: Sequence[int]
    """Assigned to it."""
    unknown: Sequence[int]
    """Partitions whose start offset is not known yet."""
    broken: str
    """Why it cannot continue; empty if it can."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Task that waits -> the fault it waits for."""
    counters: str = ""
    """Why the counters are not to be trusted."""
    refused: str = ""
    """Why the promoted checkpoint is not in use."""
    eviction: str = ""
    """Why Redis may evict counts."""

    @property
    def live(self) -> bool:
        """Whether it can recover by itself, so that it need not be restarted."""
        return self.state != "broken" and not self.broken

    @property
    def reasons(self) -> list[str]:
        """Why it is not live, or not ready; empty if it is both."""
        reasons = [self.broken] if self.broken else []
        if self.state != "running":
            reasons.append(f"the worker is {self.state}")
        elif not self.partitions:
            reasons.append("no partitions are assigned")
        if self.unknown:
            reasons.append(f"partitions {' '.join(map(str, self.unknown))}: start offset not known yet")
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


def health_of(components: WorkerComponents) -> Health:
    """The worker's current state."""
    model, partitions, error = (
        components.pipeline.active.model,
        components.partitions.values(),
        components.background.error,
    )
    return Health(
        state=components.lifecycle.state,
        model=model.name,
        version=model.version,
        partitions=sorted(each.id.partition for each in partitions),
        unknown=sorted(each.id.partition for each in partitions if not each.start.done()),
        broken=str(error) if isinstance(error, TrimodError) else repr(error) if error else "",
        waiting=dict(components.backoff.waiting),
        counters=components.integrity.lost,
        refused=components.switch.refused,
        eviction=components.eviction.warning,
    )


def register_gauges(components: WorkerComponents) -> None:
    """Gauges whose values are read at the scrape; stream/pipeline/metrics.py has the counters."""
    gauges, backoff, eviction = components.metrics.gauges, components.backoff, components.eviction
    gauges(
        "trimod_queue_depth",
        "Posts waiting per stage; `work`: all posts in progress.",
        "stage",
        lambda: {
            "intake": components.intake.waiting(),
            **components.pipeline.depths(),
            "work": components.delivery.in_work,
        },
    )
    gauges(
        "trimod_lag",
        "Posts in the log that are not committed (consumer lag).",
        "partition",
        components.committer.lag,
    )
    gauges(
        "trimod_waiting",
        "1 for each task that waits for a temporary fault.",
        "who",
        lambda: dict.fromkeys(backoff.waiting, 1.0),
    )
    gauges("trimod_cache_entries", "Entries in memory per cache.", "cache", components.pipeline.caches)
    gauges(
        "trimod_counters_trusted",
        "0 if Redis lost counts: run `trimod counters rebuild`.",
        "group",
        lambda: {components.settings.kafka.group: float(not components.integrity.lost)},
    )
    gauges(
        "trimod_redis_may_evict",
        "1 if Redis may evict counts: set its maxmemory-policy to noeviction.",
        "policy",
        lambda: {eviction.policy: float(eviction.policy != SAFE)} if eviction.policy else {},
    )
