"""The object graph of one worker, built in one place, from top to bottom.

Nothing runs here: stream/worker/worker.py starts and stops the parts. Lower floors do not know this file."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from stream.config.settings import Settings
from stream.consumer.assignment import Assignment
from stream.consumer.committer import Committer
from stream.consumer.counter_audit import CounterAudit
from stream.consumer.intake import Intake
from stream.consumer.offsets import Offsets
from stream.consumer.progress import Lifecycle, ProgressReporter
from stream.consumer.static_membership import StaticMembership
from stream.consumer.topic_identity import PostsTopic
from stream.counters.eviction import Eviction
from stream.counters.group_types import GroupLabels
from stream.counters.integrity import CounterIntegrity
from stream.counters.store import Counters
from stream.errors import BrokenWorker
from stream.images.url_fetcher import ImageUrls
from stream.kafka.publisher import Publisher
from stream.pipeline.delivery import Delivery
from stream.pipeline.item import ProcessedPost
from stream.pipeline.journal import Journal
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel, AnyTagger
from stream.pipeline.partition import Partition
from stream.pipeline.stages import Pipeline
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks
from stream.runtime.watchdog import Watchdog
from stream.worker.model_switch import CheckpointSource, ModelSwitch


@dataclass(frozen=True, slots=True)
class WorkerComponents:
    """The parts that the worker runs or reads."""

    settings: Settings
    app: Any
    """A faust.App that is not started yet."""
    stop: asyncio.Event
    lifecycle: Lifecycle
    partitions: dict[TopicPartition, Partition[ProcessedPost]]
    background: BackgroundTasks
    backoff: Backoff
    watchdog: Watchdog
    metrics: Metrics
    counters: Counters
    integrity: CounterIntegrity
    eviction: Eviction
    labels: GroupLabels
    publisher: Publisher
    delivery: Delivery
    pipeline: Pipeline
    switch: ModelSwitch
    offsets: Offsets
    committer: Committer
    counter_audit: CounterAudit
    intake: Intake
    assignment: Assignment
    progress: ProgressReporter


def wire(
    *,
    settings: Settings,
    tagger: AnyTagger,
    source: CheckpointSource,
    app: Any,
    image_urls: ImageUrls | None = None,
) -> WorkerComponents:
    """Build one worker's parts, inside its running event loop.

    `tagger` came from `source`, which may provide another one later. `app` is a faust.App that is not started yet; it
    brings partitions. `image_urls` replaces the fetcher of the settings. Raises CheckpointError if the tagger cannot
    tag its golden posts.
    """
    kafka, limits = settings.kafka, settings.worker
    # what everything shares
    stop, lifecycle, background, backoff = asyncio.Event(), Lifecycle(), BackgroundTasks(), Backoff()
    partitions: dict[TopicPartition, Partition[ProcessedPost]] = {}
    loop = asyncio.get_running_loop()

    def fail(error: BrokenWorker) -> None:
        """In the watchdog's thread."""
        loop.call_soon_threadsafe(background.fail, error)

    watchdog = Watchdog(limits.hang_limit, limits.stall_limit, fail)
    # the counts in Redis
    counters = Counters(settings.redis, kafka.group)
    integrity, eviction = CounterIntegrity(counters), Eviction(counters, backoff)
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
        activity=watchdog.activity,
        background=background,
    )
    delivery = Delivery(
        kafka=kafka,
        publisher=publisher,
        counters=counters,
        integrity=integrity,
        metrics=metrics,
        backoff=backoff,
        background=background,
    )
    switch = ModelSwitch(source, pipeline, metrics)
    # the consumer group
    offsets = Offsets(app, kafka.isolation_level)
    if settings.worker.instance_id:
        StaticMembership(app, kafka)
    topic = PostsTopic(kafka, backoff, background)
    committer = Committer(partitions, offsets, backoff)
    counter_audit = CounterAudit(partitions, counters, integrity, backoff)
    intake = Intake(
        partitions=partitions,
        offsets=offsets,
        pipeline=pipeline,
        topic=topic,
        backoff=backoff,
        background=background,
        stop=stop,
    )
    assignment = Assignment(
        settings=settings,
        partitions=partitions,
        offsets=offsets,
        intake=intake,
        delivery=delivery,
        journal=journal,
        committer=committer,
        counter_audit=counter_audit,
        topic=topic,
        backoff=backoff,
        background=background,
    )
    app.on_partitions_assigned.connect(assignment.on_assigned)
    app.on_partitions_revoked.connect(assignment.on_revoked)
    progress = ProgressReporter(
        kafka=kafka,
        watchdog=watchdog,
        partitions=partitions,
        offsets=offsets,
        committer=committer,
        topic=topic,
        backoff=backoff,
        background=background,
        lifecycle=lifecycle,
    )
    return WorkerComponents(
        settings=settings,
        app=app,
        stop=stop,
        lifecycle=lifecycle,
        partitions=partitions,
        background=background,
        backoff=backoff,
        watchdog=watchdog,
        metrics=metrics,
        counters=counters,
        integrity=integrity,
        eviction=eviction,
        labels=labels,
        publisher=publisher,
        delivery=delivery,
        pipeline=pipeline,
        switch=switch,
        offsets=offsets,
        committer=committer,
        counter_audit=counter_audit,
        intake=intake,
        assignment=assignment,
        progress=progress,
    )
