"""The worker's pipeline: take in -> fetch -> batch -> tag -> reorder -> publish -> count.

It knows partitions, but neither Faust nor who commits: `Partition.done` says how far each is. Posts may
overtake each other until the reorder buffer; from there every partition has its own task, which publishes
what is complete in offset order, counts it and only then releases it. Everything between is bounded: the
take-in waits while a partition has its fill, and so holds back Faust, which holds back the fetching.

Nothing is lost by an error here: a post that cannot be tagged is given up to the dead-letter topic in its
place, a passing fault is waited out, and anything else is reported by `broken`, upon which the worker ends
itself."""

import asyncio
import functools
import logging
import os
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from models.post import Post as PostToTag
from stream.admit import admit, conclude, give_up
from stream.backoff import persist
from stream.batcher import Batcher
from stream.contracts import Post
from stream.counters import Counters
from stream.fetch import ImageOutcome, fetch_pictures
from stream.metrics import Metrics
from stream.partition import Partition
from stream.publish import Publisher, RecordTooLarge
from stream.records import Model
from stream.settings import Settings
from stream.tagging import Failed, PostTagger, Tagged, tag_batch
from stream.work import Done, Work

FETCHERS = min(4, os.cpu_count() or 1)
"""Threads that decode images and prepare posts."""
HANDFUL = 16
"""Posts that a thread prepares at a time: a hop to a thread and back costs more than preparing a short post."""
CHUNK = 256
"""Posts of a partition that are published and counted together."""

log = logging.getLogger("trimod.worker")


class Pipeline:
    def __init__(
        self,
        settings: Settings,
        tagger: PostTagger[Any],
        counters: Counters,
        publisher: Publisher,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._tagger = tagger
        self._model = Model(tagger.name, tagger.version)
        self._counters = counters
        self._publisher = publisher
        self._metrics = metrics
        self._to_fetch: asyncio.Queue[Work] = asyncio.Queue(2 * HANDFUL)
        worker = settings.worker
        self._batcher: Batcher[Work] = Batcher(worker.max_batch_tokens, worker.max_batch_images)
        self._fetch_pool = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._deliveries: dict[Partition[Done], asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception of whatever cannot go on; see `fail`."""

    def start(self) -> None:
        """Start the stages that all partitions share."""
        self._tasks = [self.guarded(self._fetch_all()) for _ in range(FETCHERS)]
        self._tasks.append(self.guarded(self._tag_all()))

    def open(self, partition: Partition[Done]) -> None:
        """Begin to publish and count what comes of `partition`."""
        self._deliveries[partition] = self.guarded(self._deliver_all(partition))

    def close(self, partition: Partition[Done]) -> None:
        """Drop what is in work of `partition`; nothing of it is counted from now on."""
        partition.close()
        self._deliveries.pop(partition).cancel()

    async def take_in(self, partition: Partition[Done], work: Work) -> None:
        """Take a post into work; waits while the partition has its fill, returns at once when it is
        closed."""
        await partition.work.room()
        if partition.closed:
            return
        partition.enter(work.offset, len(work.value or b"") + len(work.key or b""))
        admitted = admit(work)
        if isinstance(admitted, Failed):
            log.warning("%s:%d offset %d is dead: %s", *partition.id, work.offset, admitted.message)
            self._finish(work, admitted)
        else:
            work.post = admitted
            await self._to_fetch.put(work)

    async def stop(self) -> None:
        """End all stages; what is in work is dropped."""
        for partition in list(self._deliveries):
            self.close(partition)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fetch_pool.shutdown(wait=False, cancel_futures=True)
        self._device.shutdown(wait=False, cancel_futures=True)

    def depths(self) -> dict[str, float]:
        """Posts waiting per stage."""
        return {
            "fetch": self._to_fetch.qsize(),
            "batch": len(self._batcher),
            "work": sum(len(partition.work) for partition in self._deliveries),
        }

    async def _fetch_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            works = [await self._to_fetch.get()]
            while len(works) < HANDFUL and not self._to_fetch.empty():
                works.append(self._to_fetch.get_nowait())
            works = [work for work in works if not work.partition.closed]
            posts = [work.post for work in works if work.post is not None]
            began = time.monotonic()
            results = await loop.run_in_executor(self._fetch_pool, self._prepare_all, posts)
            self._metrics.stages["fetch"].observe(time.monotonic() - began)
            for work, prepared in zip(works, results, strict=True):
                if isinstance(prepared, Failed):
                    self._finish(work, prepared)
                    continue
                work.prepared, outcomes = prepared
                self._metrics.images(outcomes)
                await self._batcher.put(work, work.prepared.tokens, len(work.prepared.pictures))

    def _prepare_all(self, posts: Sequence[Post]) -> list[tuple[Any, list[ImageOutcome]] | Failed]:
        return [self._prepare(post) for post in posts]

    def _prepare(self, post: Post) -> tuple[Any, list[ImageOutcome]] | Failed:
        """In a pool thread: the post as the tagger wants it. A post that fails twice is given up."""
        for last in (False, True):
            try:
                pictures, outcomes = fetch_pictures(post, self._settings.worker.images_root)
                return self._tagger.prepare(PostToTag(post.text, post.hashtags), pictures), outcomes
            except Exception as error:
                log.warning("post %s cannot be prepared%s: %r", post.id, " again" if last else "", error)
                failed = Failed.of(error)
        return failed

    async def _tag_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch, tokens = await self._batcher.take()
            batch = [work for work in batch if not work.partition.closed]
            if not batch:
                continue
            self._metrics.batch_posts.observe(len(batch))
            self._metrics.batch_tokens.observe(tokens)
            began = time.monotonic()
            prepared = [work.prepared for work in batch]
            outcomes = await loop.run_in_executor(self._device, tag_batch, self._tagger, prepared)
            self._metrics.stages["tag"].observe(time.monotonic() - began)
            for work, outcome in zip(batch, outcomes, strict=True):
                self._finish(work, outcome)

    def _finish(self, work: Work, outcome: Tagged | Failed) -> None:
        if work.partition.closed:
            return
        done = conclude(self._settings.kafka, self._model, work, outcome)
        work.post = work.prepared = None  # the pictures are needed no more, the bytes may be
        work.partition.work.finish(work.offset, done)

    async def _deliver_all(self, partition: Partition[Done]) -> None:
        name = f"{partition.id.topic}:{partition.id.partition}"
        while True:
            posts = await partition.work.ready(CHUNK)
            began = time.monotonic()
            posts = await self._publish(name, posts)
            published = time.monotonic()
            await persist(f"counting {name}", functools.partial(self._count, partition, posts))
            self._metrics.stages["publish"].observe(published - began)
            self._metrics.stages["count"].observe(time.monotonic() - published)
            self._metrics.done(posts)
            partition.release(posts)

    async def _count(self, partition: Partition[Done], posts: Sequence[Done]) -> None:
        topic_id, counted = posts[0].work.topic_id, [post.counted for post in posts]
        before = await self._counters.apply(topic_id, partition.id.partition, counted)
        if before < partition.done - 1:  # only now to be seen: from here on the mark is beyond the gap
            log.warning(
                "%s:%d was counted up to offset %d, of which Redis knew only up to %d: the counters are not to "
                "be trusted before `trimod counters rebuild`; tagging goes on",
                *partition.id, partition.done - 1, before,
            )  # fmt: skip

    async def _publish(self, name: str, posts: list[Done]) -> list[Done]:
        """Send and confirm all records of `posts`. One whose record is too large is given up, and sent as
        such."""
        while True:
            records = [record for post in posts for record in post.records]
            try:
                await persist(f"publishing {name}", functools.partial(self._publisher.publish, records))
            except RecordTooLarge as error:
                posts = self._give_up_large(posts, error)
            else:
                return posts

    def _give_up_large(self, posts: Sequence[Done], error: RecordTooLarge) -> list[Done]:
        index = error.index
        for position, post in enumerate(posts):
            if index < len(post.records):
                if post.error:
                    raise error  # not even the dead-letter topic takes it
                work, failed = post.work, Failed.of(error)
                log.warning("%s:%d offset %d is dead: %s", *work.partition.id, work.offset, failed.message)
                dead = give_up(self._settings.kafka, self._model, work, failed)
                return [*posts[:position], dead, *posts[position + 1 :]]
            index -= len(post.records)
        raise error

    def fail(self, error: BaseException) -> None:
        """The worker cannot go on; the first reason counts."""
        if not self.broken.done():
            self.broken.set_exception(error)

    def guarded(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background; if an error ends it, the worker is broken."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()):
                self.fail(error)

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task
