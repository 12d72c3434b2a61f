"""The stages of a post, in order: admit -> download -> prepare -> tag -> finish.

It uses partitions, but neither Faust nor the committer. Each stage is one method. Between stages, posts wait in bounded
queues and may overtake each other. The reorder buffer (stream/pipeline/reorder_buffer.py) restores the order, and
stream/pipeline/delivery.py takes them in offset order. `take_in` waits while a partition is full.

No post is lost because of an error: a post that cannot be tagged is moved to the dead-letter topic, and any other error
breaks the worker (stream/runtime/tasks.py). A post is in the journal before it is processed
(stream/pipeline/journal.py). If it is suspected of killing workers, it passes the same stages alone
(stream/pipeline/suspects.py). The model may be switched at any time: the model that prepared a post also tags it, and
no batch mixes two models."""

import asyncio
import itertools
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from stream.config.settings import Settings
from stream.images.outcomes import ImageOutcome
from stream.images.url_fetcher import ImageUrls
from stream.messages.language import LanguageFilter
from stream.pipeline.batcher import Batcher
from stream.pipeline.item import ProcessedPost, Work, admit, conclude
from stream.pipeline.journal import Journal
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel, PreparedPost, Tagged
from stream.pipeline.partition import Partition
from stream.pipeline.preparing import prepare_post
from stream.pipeline.suspects import Suspects
from stream.pipeline.tagging import Failed, tag_batch
from stream.runtime.rwlock import RWLock
from stream.runtime.tasks import BackgroundTasks, cancel_all
from stream.runtime.watchdog import ActivityTracker, WatchedPool

PREPARERS = min(4, os.cpu_count() or 1)
"""Threads that decode images and prepare posts."""
HANDFUL = 16
"""Posts that a thread prepares at a time: switching threads costs more than preparing a short post."""

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("trimod.worker")


class Pipeline:
    """The pipeline of one worker; create it inside the running event loop, start it once and stop it once."""

    def __init__(
        self,
        *,
        settings: Settings,
        active: ActiveModel,
        journal: Journal,
        metrics: Metrics,
        image_urls: ImageUrls,
        activity: ActivityTracker,
        background: BackgroundTasks,
    ) -> None:
        self._settings = settings
        self.active = active
        """The model for posts that are prepared from now on."""
        self._journal, self._metrics, self._image_urls = journal, metrics, image_urls
        self._activity, self._background = activity, background
        self._model_lock = RWLock()
        self.memory_lock = asyncio.Lock()
        """Held while a post is handled alone and while another model is loaded: if the process runs out of memory, it
        is known which of the two it was. Other posts need it for neither."""
        self._suspects = Suspects(journal, self._model_lock, self.memory_lock)
        self._download_room = asyncio.Semaphore(settings.fetch.posts_at_once)
        self._downloads: set[asyncio.Task[None]] = set()
        self._to_prepare: asyncio.Queue[Work] = asyncio.Queue(2 * HANDFUL)
        worker = settings.worker
        self._languages = LanguageFilter(worker.languages)
        self._batcher: Batcher[Work] = Batcher(worker.max_batch_tokens, worker.max_batch_images)
        self._cpu = ThreadPoolExecutor(PREPARERS, thread_name_prefix="prepare")
        self._decode_pool = WatchedPool(self._cpu, activity, "decoding an image")
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the stages that all partitions share."""
        self._tasks = [self._background.run(self._prepare_all()) for _ in range(PREPARERS)]
        self._tasks.append(self._background.run(self._tag_all()))

    async def stop(self) -> None:
        """Stop all stages and drop posts in progress. Close the partitions first: posts wait for room there."""
        await cancel_all([*self._tasks, *self._downloads])
        await self._image_urls.close()
        self._cpu.shutdown(wait=False, cancel_futures=True)
        self._device.shutdown(wait=False, cancel_futures=True)

    def depths(self) -> dict[str, float]:
        """Posts waiting per stage."""
        return {
            "download": len(self._downloads),
            "fetch": self._to_prepare.qsize(),
            "batch": len(self._batcher),
        }

    def caches(self) -> dict[str, float]:
        """Entries in memory per cache."""
        return {"pictures by url": self._image_urls.kept, **self.active.tagger.caches()}

    # the stages of a post

    async def take_in(self, partition: Partition[ProcessedPost], work: Work) -> None:
        """Take in a post and pass it to its first stage; waits while the partition is full, returns at once if it is
        closed."""
        await partition.work.room()
        if partition.closed:
            return
        partition.enter(work.offset, len(work.value or b"") + len(work.key or b""))
        if not self._admit(work):
            return
        if self._suspects.careful(work):
            await self._suspects.alone(work, self._pass_alone)
        elif work.post and any(image.url is not None for image in work.post.images):
            await self._start_download(work)
        else:
            await self._to_prepare.put(work)

    def _admit(self, work: Work) -> bool:
        """Whether it is a valid post to be tagged: it does not kill workers, and is in a wanted language."""
        refused = self._suspects.killed_by(work)
        admitted = refused or admit(work)
        if isinstance(admitted, Failed):
            self._give_up(work, admitted)
            return False
        work.post = admitted
        self._metrics.fields(admitted)
        if not self._languages.wants(admitted):
            self._finish(work, Tagged([], skipped="language"))
            return False
        return True

    async def _download(self, work: Work) -> None:
        """Download the images given by URL into memory."""
        began = time.monotonic()
        work.fetched = await self._image_urls.fetch(work.post.images if work.post else (), self._decode_pool)
        self._metrics.stages["download"].observe(time.monotonic() - began)

    async def _prepare(self, works: Sequence[Work]) -> list[Work]:
        """The posts that are ready to be tagged; the others become dead letters."""
        active, began = self.active, time.monotonic()
        results = await self._on(self._cpu, self._prepared, active, works)
        self._metrics.stages["fetch"].observe(time.monotonic() - began)
        ready = []
        for work, prepared in zip(works, results, strict=True):
            work.active = active
            if isinstance(prepared, Failed):
                self._give_up(work, prepared)
                continue
            work.prepared, outcomes = prepared
            self._metrics.images(outcomes)
            ready.append(work)
        return ready

    async def _tag(self, works: Sequence[Work]) -> None:
        """Tag posts that one model has prepared, and finish each as soon as its outcome is known."""
        began, active = time.monotonic(), works[0].active
        assert active is not None  # only what is prepared gets here
        batch = [work.prepared for work in works if work.prepared is not None]
        found = tag_batch(active.tagger, active.golden, self._activity, batch)
        waiting = deque(works)
        while waiting:
            for outcome in await self._on(self._device, next, found):
                work = waiting.popleft()
                if isinstance(outcome, Failed):
                    self._give_up(work, outcome)
                else:
                    self._finish(work, outcome)
        self._metrics.stages["tag"].observe(time.monotonic() - began)

    def _give_up(self, work: Work, failed: Failed) -> None:
        log.warning("%s moved to %s: %s", work.place, self._settings.kafka.dead_topic, failed.message)
        self._finish(work, failed)

    def _finish(self, work: Work, outcome: Tagged | Failed) -> None:
        """Put what to send and count into the post's place in the reorder buffer."""
        if work.partition.closed:
            return
        model = (work.active or self.active).model
        done = conclude(self._settings.kafka, model, work, outcome)
        work.post = work.prepared = None
        work.fetched = {}  # the pictures are no longer needed, but the bytes may be
        work.partition.work.finish(work.offset, done)

    # how posts get from stage to stage, many at once

    async def _start_download(self, work: Work) -> None:
        """While a post waits for images by URL, others overtake it. At most `fetch.posts_at_once` posts may wait."""
        await self._download_room.acquire()
        task = self._background.run(self._download_then_prepare(work))
        self._downloads.add(task)
        task.add_done_callback(self._downloads.discard)

    async def _download_then_prepare(self, work: Work) -> None:
        try:
            if not work.partition.closed:
                async with self._model_lock.read():
                    await self._note([work])
                    await self._download(work)
                await self._to_prepare.put(work)
        finally:
            self._download_room.release()  # only now: until here it holds pictures

    async def _prepare_all(self) -> None:
        while True:
            works = [await self._to_prepare.get()]
            while len(works) < HANDFUL and not self._to_prepare.empty():
                works.append(self._to_prepare.get_nowait())
            works = [work for work in works if not work.partition.closed]
            if not works:
                continue
            async with self._model_lock.read():
                await self._note(works)
                ready = await self._prepare(works)
            for work in ready:
                assert work.prepared is not None  # it is ready
                await self._batcher.put(work, work.prepared.tokens, len(work.prepared.pictures))

    async def _tag_all(self) -> None:
        while True:
            batch, tokens = await self._batcher.take()
            batch = [work for work in batch if not work.partition.closed]
            if not batch:
                continue
            self._metrics.batch_posts.observe(len(batch))
            self._metrics.batch_tokens.observe(tokens)
            for _, works in itertools.groupby(batch, lambda work: work.active):
                async with self._model_lock.read():
                    await self._tag(list(works))

    async def _pass_alone(self, work: Work) -> None:
        """Pass one post through all stages, one after the other."""
        await self._on(self._device, self.active.golden.check)  # otherwise the model is to blame
        await self._suspects.note(work)
        await self._download(work)
        for ready in await self._prepare([work]):
            await self._tag([ready])

    async def _note(self, works: Sequence[Work]) -> None:
        """Note in the journal that these posts are about to be processed."""
        await self._journal.note({w.partition.claim: w.partition.entered for w in works if w.partition.claim})

    def _prepared(
        self, active: ActiveModel, works: Sequence[Work]
    ) -> list[tuple[PreparedPost, list[ImageOutcome]] | Failed]:
        """In a thread."""
        root = self._settings.worker.images_root
        posts = [(work.post, work.fetched) for work in works]
        return [prepare_post(active, self._activity, root, post, images) for post, images in posts if post]

    async def _on(
        self, pool: ThreadPoolExecutor, call: Callable[P, T], *arguments: P.args, **_: P.kwargs
    ) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
