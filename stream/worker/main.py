"""Everything between `trimod worker` and its event loop: the log, the checks at startup, the run.

Each check fails with one line: the checkpoint (loaded first), the broker, the topics, Redis's version. If Redis is
unavailable, the worker starts anyway and waits for it."""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from stream.config.settings import Settings
from stream.connections.redis_client import check_version
from stream.consumer.faust_app import faust_app, read_posts
from stream.errors import PassingFault
from stream.images.url_fetcher import ImageUrls
from stream.kafka.topics import ensure_topics
from stream.pipeline.model import AnyTagger
from stream.runtime.logging import set_up_log
from stream.worker.model_switch import CheckpointSource
from stream.worker.wiring import wire
from stream.worker.worker import Worker

log = logging.getLogger("trimod.worker")


def run_worker(
    settings: Settings, load: Callable[[], AnyTagger], image_urls: ImageUrls | None = None
) -> None:
    """Run until a signal; `load` loads the tagger from worker.checkpoint. `image_urls` replaces the fetcher of the
    settings. Raises a TrimodError if the worker cannot start or continue."""
    set_up_log(settings.worker.log_level)
    source = CheckpointSource(
        settings.worker.checkpoint, load
    )  # before: what is promoted meanwhile is not missed
    tagger = source.load()
    for topic in ensure_topics(settings.kafka):
        log.info("created topic %s", topic)
    log.info(
        "%s %s reads %s at %s as group %s",
        tagger.name, tagger.version, settings.kafka.posts_topic, settings.kafka.bootstrap_servers,
        settings.kafka.group,
    )  # fmt: skip
    asyncio.run(_work(settings, tagger, source, image_urls))


async def _work(
    settings: Settings, tagger: AnyTagger, source: CheckpointSource, image_urls: ImageUrls | None
) -> None:
    with contextlib.suppress(PassingFault):
        await check_version(settings.redis)
    with tempfile.TemporaryDirectory(prefix="trimod-worker-") as datadir:
        app = faust_app(settings, Path(datadir))
        components = wire(settings=settings, tagger=tagger, source=source, app=app, image_urls=image_urls)
        read_posts(app, settings.kafka.posts_topic, components.intake.consume)
        await Worker(components).run()
