"""The object graph of one worker, built in one place, from top to bottom.

Nothing runs here: stream/worker/worker.py starts and stops the parts. Lower floors do not know this file."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from stream.config.settings import Settings
from stream.consumer.assignment import Assignment
from stream.consumer.committer import Commits
from stream.consumer.counter_audit import Marks
from stream.consumer.intake import Intake
from stream.consumer.offsets import Offsets
from stream.consumer.progress import Life, Pulse
from stream.consumer.topic_identity import PostsTopic
from stream.counters.eviction import Eviction
from stream.counters.group_types import GroupLabels
from stream.counters.integrity import Trust
from stream.counters.store import Counters
from stream.errors import BrokenWorker
from stream.images.url_fetcher import ImageUrls
from stream.kafka.publisher import Publisher
from stream.pipeline.delivery import Delivery
from stream.pipeline.item import Done
from stream.pipeline.journal import Journal
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel, AnyTagger
from stream.pipeline.partition import Partition
from stream.pipeline.stages import Pipeline
from stream.runtime.retry import Backoff
from stream.runtime.tasks import Guard
from stream.runtime.watchdog import Watchdog
from stream.worker.model_switch import CheckpointSource, ModelSwitch


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that the worker runs or reads."""

    settings: Settings
    app: Any
    """A faust.App that is not started yet."""
    stop: asyncio.Event
    life: Life
    partitions: dict[TopicPartition, Partition[Done]]
    guard: Guard
    backoff: Backoff
    watchdog: Watchdog
    metrics: Metrics
    counters: Counters
    trust: Trust
    eviction: Eviction
    labels: GroupLabels
    publisher: Publisher
    delivery: Delivery
    pipeline: Pipeline
    switch: ModelSwitch
    offsets: Offsets
    commits: Commits
    marks: Marks
    intake: Intake
    assignment: Assignment
    pulse: Pulse


def wire(
    *,
    settings: Settings,
    tagger: AnyTagger,
    source: CheckpointSource,
    app: Any,
    image_urls: ImageUrls | None = None,
) -> Parts:
    """Build one worker's parts, inside its running event loop.

    `tagger` came from `source`, which may provide another one later. `app` is a faust.App that is not started yet; it
    brings partitions. `image_urls` replaces the fetcher of the settings. Raises CheckpointError if the tagger cannot
    tag its golden posts.
    """
    kafka, limits = settings.kafka, settings.worker
    # what everything shares
    stop, life, guard, backoff = asyncio.Event(), Life(), Guard(), Backoff()
    partitions: dict[TopicPartition, Partition[Done]] = {}
    loop = asyncio.get_running_loop()

    def fail(error: BrokenWorker) -> None:
        """In the watchdog's thread."""
        loop.call_soon_threadsafe(guard.fail, error)

    watchdog = Watchdog(limits.hang_limit, limits.stall_limit, fail)
    # the counts in Redis
    counters = Counters(settings.redis, kafka.group)
    trust, eviction = Trust(counters), Eviction(counters, backoff)
    labels, journal = GroupLabels(counters), Journal(counters)
    # posts to records
    active = ActiveModel(tagger)
    metrics, publisher = Metrics(active.model), Publisher(kafka)
    pipeline = Pipeline(
        settings=settings,
        active=active,
        journal=journal,
        metrics=metrics,
        image_urls=image_urls or ImageUrls(settings.fetch),
        busy=watchdog.busy,
        guard=guard,
    )
    delivery = Delivery(
        kafka=kafka,
        publisher=publisher,
        counters=counters,
        trust=trust,
        metrics=metrics,
        backoff=backoff,
        guard=guard,
    )
    switch = ModelSwitch(source, pipeline, metrics)
    # the consumer group
    offsets = Offsets(app, kafka.isolation_level)
    topic = PostsTopic(kafka, backoff, guard)
    commits = Commits(partitions, offsets, backoff)
    marks = Marks(partitions, counters, trust, backoff)
    intake = Intake(
        partitions=partitions,
        offsets=offsets,
        pipeline=pipeline,
        topic=topic,
        backoff=backoff,
        guard=guard,
        stop=stop,
    )
    assignment = Assignment(
        settings=settings,
        partitions=partitions,
        offsets=offsets,
        intake=intake,
        delivery=delivery,
        journal=journal,
        commits=commits,
        marks=marks,
        topic=topic,
        backoff=backoff,
        guard=guard,
    )
    app.on_partitions_assigned.connect(assignment.on_assigned)
    app.on_partitions_revoked.connect(assignment.on_revoked)
    pulse = Pulse(
        kafka=kafka,
        watchdog=watchdog,
        partitions=partitions,
        offsets=offsets,
        commits=commits,
        topic=topic,
        backoff=backoff,
        guard=guard,
        life=life,
    )
    return Parts(
        settings=settings,
        app=app,
        stop=stop,
        life=life,
        partitions=partitions,
        guard=guard,
        backoff=backoff,
        watchdog=watchdog,
        metrics=metrics,
        counters=counters,
        trust=trust,
        eviction=eviction,
        labels=labels,
        publisher=publisher,
        delivery=delivery,
        pipeline=pipeline,
        switch=switch,
        offsets=offsets,
        commits=commits,
        marks=marks,
        intake=intake,
        assignment=assignment,
        pulse=pulse,
    )
