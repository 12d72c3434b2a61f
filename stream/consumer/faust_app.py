"""The Faust application around the pipeline: one agent over raw bytes, no tables, no web server, no commits.

Comments explain the settings. Faust's own acks and commits are off (`acks=False`): stream/consumer/offsets.py explains
why, and commits instead."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust

from stream.config.settings import Settings
from stream.connections.kafka_clients import faust_credentials

NEVER = 10 * 365 * 86400.0
"""Seconds. Otherwise Faust's livelock detector would report partitions that wait for a fault to pass."""
METADATA_AGE_MS = 10_000
"""After which added partitions and a recreated topic are found; the default is five minutes."""
BUFFERED = 32
"""Posts between fetching and the inboxes (stream/consumer/inbox.py): at most 256 MiB."""


def faust_app(settings: Settings, datadir: Path) -> faust.App:
    """An app that does not read yet; `datadir` may be empty and temporary."""
    kafka = settings.kafka
    brokers = ";".join(f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(","))
    app = faust.App(
        kafka.group,
        broker=brokers,
        broker_credentials=faust_credentials(kafka),
        datadir=str(datadir),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,  # otherwise every group gets a topic for leader election
        topic_allow_declare=False,
        topic_partitions=kafka.partitions,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_AGE_MS,
        consumer_group_instance_id=settings.worker.instance_id or None,
        broker_session_timeout=kafka.session_timeout,
        broker_heartbeat_interval=min(2.0, kafka.session_timeout / 4),
        broker_request_timeout=max(30.0, kafka.session_timeout + 5),
        broker_rebalance_timeout=30.0,
        stream_buffer_maxsize=BUFFERED,
        stream_wait_empty=False,  # True stalls rebalances; sinks are idempotent
        stream_recovery_delay=0.0,  # there are no tables to recover
        stream_processing_timeout=NEVER,
        broker_commit_livelock_soft_timeout=NEVER,
    )
    app.BootStrategy.enable_kafka_producer = False  # records go out by stream/kafka/publisher.py
    return app


def read_posts(app: faust.App, topic: str, consume: Callable[[Any], Awaitable[None]]) -> None:
    """Register the agent `consume`, which gets the stream of posts once `app` is started."""
    posts = app.topic(topic, key_serializer="raw", value_serializer="raw", acks=False)
    app.agent(posts, name="posts")(consume)
    app.finalize()
