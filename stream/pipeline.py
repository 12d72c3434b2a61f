"""The worker's pipeline: take in -> download -> fetch -> batch -> tag -> reorder -> publish -> count.

It knows partitions, but neither Faust nor who commits: `Partition.done` says how far each is. Posts may
overtake each other until the reorder buffer; from there every partition has its own task, which publishes
what is complete in offset order, counts it and only then releases it. Everything between is bounded: the
take-in waits while a partition has its fill, and so holds back Faust, which holds back the fetching.

Nothing is lost by an error here: a post that cannot be tagged is given up to the dead-letter topic in its
place, a passing fault is waited out, and anything else is reported by `broken`, upon which the worker ends
itself. Before a post is worked on it is in the journal (stream/journal.py); one that is suspected of having
killed workers passes alone. The model may be switched at any time: a post is tagged by the one that has
prepared it, and no batch mixes two."""

import asyncio
import functools
import itertools
import logging
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from models.post import Post as PostToTag
from stream.active import ActiveModel
from stream.admit import admit, conclude, give_up
from stream.backoff import Backoff
from stream.batcher import Batcher
from stream.busy import Busy
from stream.counters import Counters
from stream.errors import PassingFault
from stream.faults import fault
from stream.fetch import fetch_pictures
from stream.gate import Gate
from stream.image_outcomes import ImageOutcome
from stream.image_urls import ImageUrls
from stream.journal import Journal
from stream.metrics import Metrics
from stream.partition import Partition
from stream.publish import Publisher, RecordTooLarge
from stream.records import Out
from stream.settings import Settings
from stream.tagging import Failed, Tagged, tag_batch
from stream.trust import Trust
from stream.work import Done, Work

FETCHERS = min(4, os.cpu_count() or 1)
"""Threads that decode images and prepare posts."""
HANDFUL = 16
"""Posts that a thread prepares at a time: a hop to a thread and back costs more than preparing a short post."""
CHUNK = 256
"""Posts of a partition that are published and counted together."""

T = TypeVar("T")

log = logging.getLogger("trimod.worker")


class Pipeline:
    def __init__(
        self,
        settings: Settings,
        active: ActiveModel,
        counters: Counters,
        trust: Trust,
        publisher: Publisher,
        metrics: Metrics,
        image_urls: ImageUrls,
        backoff: Backoff,
        busy: Busy,
    ) -> None:
        self._settings = settings
        self.active = active
        """The model that posts are prepared for from now on."""
        self._counters = counters
        self._trust = trust
        self._journal = Journal(counters)
        self._publisher = publisher
        self._metrics = metrics
        self._image_urls = image_urls
        self._backoff = backoff
        self._busy = busy
        self._gate = Gate()
        self._download_room = asyncio.Semaphore(settings.fetch.posts_at_once)
        self._downloads: set[asyncio.Task[None]] = set()
        self._to_fetch: asyncio.Queue[Work] = asyncio.Queue(2 * HANDFUL)
        worker = settings.worker
        self._batcher: Batcher[Work] = Batcher(worker.max_batch_tokens, worker.max_batch_images)
        self._fetch_pool = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._deliveries: dict[Partition[Done], asyncio.Task[None]] = {}
        self._delivering: dict[Partition[Done], asyncio.Lock] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception of whatever cannot go on; see `fail`."""

    def start(self) -> None:
        """Start the stages that all partitions share."""
        self._tasks = [self.guarded(self._fetch_all()) for _ in range(FETCHERS)]
        self._tasks.append(self.guarded(self._tag_all()))

    def open(self, partition: Partition[Done]) -> None:
        """Begin to publish and count what comes of `partition`."""
        self._delivering[partition] = asyncio.Lock()
        self._deliveries[partition] = self.guarded(self._deliver_all(partition))

    async def claim(self, partition: Partition[Done], topic_id: str, first: int) -> None:
        """Take over the journal's page of `partition`, which is read from `first`."""
        partition.claim = await self._journal.claim(topic_id, partition.id.partition, first)

    def close(self, partition: Partition[Done]) -> None:
        """Drop what is in work of `partition`; nothing of it is counted from now on."""
        partition.close()
        self._deliveries.pop(partition).cancel()
        del self._delivering[partition]

    async def let_go(self, partitions: Sequence[Partition[Done]]) -> None:
        """What is in work of these is dropped in order: it is not to blame for anything."""
        await self._journal.let_go([(each.claim, each.first) for each in partitions if each.claim])

    async def settle(self) -> None:
        """Begin no further delivery; returns when those under way are counted and released."""
        for lock in list(self._delivering.values()):
            await lock.acquire()

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
        """End all stages; what is in work is dropped."""
        for partition in list(self._deliveries):
            self.close(partition)
        tasks = [*self._tasks, *self._downloads]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._image_urls.close()
        self._fetch_pool.shutdown(wait=False, cancel_futures=True)
        self._device.shutdown(wait=False, cancel_futures=True)

    def depths(self) -> dict[str, float]:
        """Posts waiting per stage."""
        return {
            "download": len(self._downloads),
            "fetch": self._to_fetch.qsize(),
            "batch": len(self._batcher),
            "work": sum(len(partition.work) for partition in self._deliveries),
        }

    async def _start_download(self, work: Work) -> None:
        """A post whose images are named by URL is overtaken by others while it waits for them; as many as
        `fetch.posts_at_once` may."""
        await self._download_room.acquire()
        task = self.guarded(self._download(work))
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
        work.fetched = await self._image_urls.fetch(work.post.images if work.post else (), self._fetch_pool)
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
        """In a pool thread: the post as the tagger wants it. A post that fails twice is given up."""
        post = work.post
        assert post is not None  # only decoded posts are prepared
        for last in (False, True):
            try:
                with self._busy("preparing a post"):
                    fault("fetching", [post.text])
                    pictures, outcomes = fetch_pictures(post, self._settings.worker.images_root, work.fetched)
                    return active.tagger.prepare(PostToTag(post.text, post.hashtags), pictures), outcomes
            except Exception as error:
                log.warning("post %s cannot be prepared%s: %r", post.id, " again" if last else "", error)
                failed = Failed.of(error)
        active.golden.check_preparing()  # else no post is to blame
        return failed

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
        prepared = [work.prepared for work in works]
        outcomes = await self._on(self._device, tag_batch, active.tagger, active.golden, self._busy, prepared)
        self._metrics.stages["tag"].observe(time.monotonic() - began)
        for work, outcome in zip(works, outcomes, strict=True):
            if isinstance(outcome, Failed):
                self._give_up(work, outcome)
            else:
                self._finish(work, outcome)

    async def _work_alone(self, work: Work) -> None:
        """Prepare and tag a post that workers may have died of, with nothing beside it on any thread."""
        async with self._gate.alone():
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
        log.warning("%s:%d offset %d is dead: %s", *work.partition.id, work.offset, failed.message)
        self._finish(work, failed)

    def _finish(self, work: Work, outcome: Tagged | Failed) -> None:
        if work.partition.closed:
            return
        model = (work.active or self.active).model
        done = conclude(self._settings.kafka, model, work, outcome)
        work.post = work.prepared = None
        work.fetched = {}  # the pictures are needed no more, the bytes may be
        work.partition.work.finish(work.offset, done)

    async def _deliver_all(self, partition: Partition[Done]) -> None:
        name = f"{partition.id.topic}:{partition.id.partition}"
        lock = self._delivering[partition]
        while True:
            posts = await partition.work.ready(CHUNK)
            async with lock:
                await self._deliver(name, partition, posts)

    async def _deliver(self, name: str, partition: Partition[Done], posts: list[Done]) -> None:
        began = time.monotonic()
        fault("publishing")
        posts = await self._publish(name, posts)
        published = time.monotonic()
        fault("counting")
        await self._backoff.persist(f"counting {name}", functools.partial(self._count, partition, posts))
        self._metrics.stages["publish"].observe(published - began)
        self._metrics.stages["count"].observe(time.monotonic() - published)
        self._metrics.done(posts)
        partition.release(posts)

    async def _count(self, partition: Partition[Done], posts: Sequence[Done]) -> None:
        topic_id, counted = posts[0].work.topic_id, [post.counted for post in posts]
        before = await self._counters.apply(topic_id, partition.id.partition, counted)
        if before < partition.done - 1:  # only now to be seen: from here on the mark is beyond the gap
            name = f"{partition.id.topic}:{partition.id.partition}"
            await self._trust.doubt(
                f"{name} was counted up to offset {partition.done - 1}, of which Redis knew only up to {before}"
            )

    async def _publish(self, name: str, posts: list[Done]) -> list[Done]:
        """Send and confirm all records of `posts`. One whose record is too large is given up, and sent as
        such."""
        while True:
            records = [record for post in posts for record in post.records]
            try:
                await self._backoff.persist(
                    f"publishing {name}", functools.partial(self._send, records, posts)
                )
            except RecordTooLarge as error:
                posts = self._give_up_large(posts, error)
            else:
                return posts

    async def _send(self, records: Sequence[Out], posts: Sequence[Done]) -> None:
        """Publish; a dead letter that its topic does not take waits until its operator raises the limit."""
        try:
            await self._publisher.publish(records)
        except RecordTooLarge as error:
            post = _whose(posts, error.index)
            if post.error is None:
                raise
            topic = self._settings.kafka.dead_topic
            raise PassingFault(
                f"{topic} refuses the dead letter of offset {post.offset}: raise its max.message.bytes ({error})"
            ) from error

    def _give_up_large(self, posts: Sequence[Done], error: RecordTooLarge) -> list[Done]:
        large = _whose(posts, error.index)
        work, failed = large.work, Failed.of(error)
        log.warning("%s:%d offset %d is dead: %s", *work.partition.id, work.offset, failed.message)
        model = (work.active or self.active).model
        dead = give_up(self._settings.kafka, model, work, failed)
        return [dead if post is large else post for post in posts]

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


def _whose(posts: Sequence[Done], index: int) -> Done:
    """The post that the record at `index` of all their records belongs to."""
    owners = [post for post in posts for _ in post.records]
    return owners[index]
