"""The first half of the worker's pipeline: take in -> download -> fetch -> batch -> tag -> reorder.

It knows partitions, but neither Faust nor who commits. Posts may overtake each other until the reorder buffer
(stream/pipeline/reorder_buffer.py), from which stream/pipeline/delivery.py takes them in offset order. Everything
between is bounded: the take-in waits while a partition has its fill, and so holds back Faust, which holds back the
fetching.

Nothing is lost by an error here: a post that cannot be tagged is given up to the dead-letter topic in its place, and
anything else breaks the worker (stream/runtime/tasks.py). Before a post is worked on it is in the journal
(stream/pipeline/journal.py); one that is suspected of having killed workers passes alone. The model may be switched at
any time: a post is tagged by the one that has prepared it, and no batch mixes two."""

import asyncio
import itertools
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from stream.config.settings import Settings
from stream.images.outcomes import ImageOutcome
from stream.images.url_fetcher import ImageUrls
from stream.pipeline.batcher import Batcher
from stream.pipeline.item import Done, Work, admit, conclude
from stream.pipeline.journal import Journal
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel, Tagged
from stream.pipeline.partition import Partition
from stream.pipeline.preparing import prepare_post
from stream.pipeline.tagging import Failed, tag_batch
from stream.runtime.rwlock import Gate
from stream.runtime.tasks import Guard, cancel_all
from stream.runtime.watchdog import Busy, WatchedPool

FETCHERS = min(4, os.cpu_count() or 1)
"""Threads that decode images and prepare posts."""


HANDFUL = 16
"""Posts that a thread prepares at a time: a hop to a thread and back costs more than preparing a short post."""


T = TypeVar("T")


log = logging.getLogger("trimod.worker")


class Pipeline:
    """Of one worker; to be made inside its running event loop, started once and stopped once."""

    def __init__(
        self,
        settings: Settings,
        active: ActiveModel,
        journal: Journal,
        metrics: Metrics,
        image_urls: ImageUrls,
        busy: Busy,
        guard: Guard,
    ) -> None:
        self._settings = settings
        self.active = active
        """The model that posts are prepared for from now on."""
        self._journal = journal
        self._metrics = metrics
        self._image_urls = image_urls
        self._busy = busy
        self._guard = guard
        self._gate = Gate()
        self.memory_lock = asyncio.Lock()
        """Held while a post is handled alone and while another model is loaded: if the process runs out of memory, it
        is known which of the two it was. Other posts need it for neither."""
        self._download_room = asyncio.Semaphore(settings.fetch.posts_at_once)
        self._downloads: set[asyncio.Task[None]] = set()
        self._to_fetch: asyncio.Queue[Work] = asyncio.Queue(2 * HANDFUL)
        worker = settings.worker
        self._batcher: Batcher[Work] = Batcher(worker.max_batch_tokens, worker.max_batch_images)
        self._fetch_pool = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")
        self._decode_pool = WatchedPool(self._fetch_pool, busy, "decoding an image")
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the stages that all partitions share."""
        self._tasks = [self._guard.run(self._fetch_all()) for _ in range(FETCHERS)]
        self._tasks.append(self._guard.run(self._tag_all()))

    async def take_in(self, partition: Partition[Done], work: Work) -> None:
        """Take a post into work; waits while the partition has its fill, returns at once when it is
        closed."""
        await partition.work.room()
        if partition.closed:
            return
        partition.enter(work.offset, len(work.value or b"") + len(work.key or b""))
        suspicion = partition.claim.suspicion if partition.claim else None
        if suspicion and work.offset in suspicion.killers:
            died = f"{suspicion.deaths} workers in a row died, the last with this post alone in work"
            self._give_up(work, Failed("KillsWorker", died))
            return
        admitted = admit(work)
        if isinstance(admitted, Failed):
            self._give_up(work, admitted)
            return
        work.post = admitted
        if suspicion and suspicion.careful(work.offset):
            await self._work_alone(work)
        elif any(image.url is not None for image in admitted.images):
            await self._start_download(work)
        else:
            await self._to_fetch.put(work)

    async def stop(self) -> None:
        """End all stages; what is in work is dropped. Partitions must be closed before: posts wait for room there."""
        await cancel_all([*self._tasks, *self._downloads])
        await self._image_urls.close()
        self._fetch_pool.shutdown(wait=False, cancel_futures=True)
        self._device.shutdown(wait=False, cancel_futures=True)

    def depths(self) -> dict[str, float]:
        """Posts waiting per stage."""
        return {
            "download": len(self._downloads),
            "fetch": self._to_fetch.qsize(),
            "batch": len(self._batcher),
        }

    def caches(self) -> dict[str, float]:
        """Things in memory per cache."""
        return {"pictures by url": self._image_urls.kept, **self.active.tagger.caches()}

    async def _start_download(self, work: Work) -> None:
        """A post whose images are named by URL is overtaken by others while it waits for them; as many as
        `fetch.posts_at_once` may."""
        await self._download_room.acquire()
        task = self._guard.run(self._download(work))
        self._downloads.add(task)
        task.add_done_callback(self._downloads.discard)

    async def _download(self, work: Work) -> None:
        try:
            if not work.partition.closed:
                async with self._gate.together():
                    await self._note([work])
                    await self._fetch_urls(work)
                await self._to_fetch.put(work)
        finally:
            self._download_room.release()  # only now: until here it holds pictures

    async def _fetch_urls(self, work: Work) -> None:
        began = time.monotonic()
        work.fetched = await self._image_urls.fetch(work.post.images if work.post else (), self._decode_pool)
        self._metrics.stages["download"].observe(time.monotonic() - began)

    async def _note(self, works: Sequence[Work]) -> None:
        """These posts are about to be worked on: into the journal."""
        await self._journal.note({w.partition.claim: w.partition.entered for w in works if w.partition.claim})

    async def _fetch_all(self) -> None:
        while True:
            works = [await self._to_fetch.get()]
            while len(works) < HANDFUL and not self._to_fetch.empty():
                works.append(self._to_fetch.get_nowait())
            works = [work for work in works if not work.partition.closed]
            if not works:
                continue
            active = self.active
            async with self._gate.together():
                await self._note(works)
                began = time.monotonic()
                results = await self._on(self._fetch_pool, self._prepare_all, active, works)
                self._metrics.stages["fetch"].observe(time.monotonic() - began)
            for work, prepared in zip(works, results, strict=True):
                if self._is_prepared(work, active, prepared):
                    await self._batcher.put(work, work.prepared.tokens, len(work.prepared.pictures))

    def _is_prepared(
        self, work: Work, active: ActiveModel, prepared: tuple[Any, list[ImageOutcome]] | Failed
    ) -> bool:
        work.active = active
        if isinstance(prepared, Failed):
            self._give_up(work, prepared)
            return False
        work.prepared, outcomes = prepared
        self._metrics.images(outcomes)
        return True

    def _prepare_all(
        self, active: ActiveModel, works: Sequence[Work]
    ) -> list[tuple[Any, list[ImageOutcome]] | Failed]:
        return [self._prepare(active, work) for work in works]

    def _prepare(self, active: ActiveModel, work: Work) -> tuple[Any, list[ImageOutcome]] | Failed:
        assert work.post is not None  # only decoded posts are prepared
        return prepare_post(active, self._busy, self._settings.worker.images_root, work.post, work.fetched)

    async def _tag_all(self) -> None:
        while True:
            batch, tokens = await self._batcher.take()
            batch = [work for work in batch if not work.partition.closed]
            if not batch:
                continue
            self._metrics.batch_posts.observe(len(batch))
            self._metrics.batch_tokens.observe(tokens)
            for active, works in itertools.groupby(batch, lambda work: work.active):
                assert active is not None  # only what is prepared gets here
                async with self._gate.together():
                    await self._tag(active, list(works))

    async def _tag(self, active: ActiveModel, works: list[Work]) -> None:
        began = time.monotonic()
        found = tag_batch(active.tagger, active.golden, self._busy, [work.prepared for work in works])
        waiting = deque(works)
        while waiting:
            for outcome in await self._on(self._device, next, found):
                work = waiting.popleft()
                if isinstance(outcome, Failed):
                    self._give_up(work, outcome)
                else:
                    self._finish(work, outcome)
        self._metrics.stages["tag"].observe(time.monotonic() - began)

    async def _work_alone(self, work: Work) -> None:
        """Prepare and tag a post that workers may have died of, with nothing beside it on any thread."""
        async with self.memory_lock, self._gate.alone():
            claim, active = work.partition.claim, self.active
            if work.partition.closed or claim is None:
                return
            await self._on(self._device, active.golden.check)  # else the model would be to blame
            await self._journal.note_alone(claim, work.offset)
            await self._fetch_urls(work)
            prepared = await self._on(self._fetch_pool, self._prepare, active, work)
            if self._is_prepared(work, active, prepared):
                await self._tag(active, [work])
            await self._journal.note_survived(claim)

    async def _on(self, pool: ThreadPoolExecutor, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)

    def _give_up(self, work: Work, failed: Failed) -> None:
        log.warning("%s offset %d is dead: %s", work.partition.name, work.offset, failed.message)
        self._finish(work, failed)

    def _finish(self, work: Work, outcome: Tagged | Failed) -> None:
        if work.partition.closed:
            return
        model = (work.active or self.active).model
        done = conclude(self._settings.kafka, model, work, outcome)
        work.post = work.prepared = None
        work.fetched = {}  # the pictures are needed no more, the bytes may be
        work.partition.work.finish(work.offset, done)
