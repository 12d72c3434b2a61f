"""The worker process, from the first partition to a clean shutdown.

It guarantees at-least-once delivery: an offset is committed only when the broker has confirmed all posts before it and
Redis has counted them. stream/worker/wiring.py builds its parts. Faust brings partitions
(stream/consumer/assignment.py) and posts (stream/consumer/intake.py). The pipeline tags them
(stream/pipeline/stages.py, stream/pipeline/delivery.py), and counted posts are committed
(stream/consumer/committer.py). If a clean shutdown is no longer possible, the watchdog ends the process
(stream/runtime/watchdog.py)."""

import asyncio
import contextlib
import functools
import logging
import signal
from typing import Any

from aiokafka.errors import KafkaError

from models.core.errors import TrimodError
from stream.consumer.group import explain
from stream.counters.group_types import types_of
from stream.errors import AccessDenied, BrokenWorker, FailedOnPost, PassingFault
from stream.worker.http import serve
from stream.worker.status import health_of, register_gauges
from stream.worker.wiring import WorkerComponents

DRAIN_TIMEOUT = 3.5
"""Seconds to finish posts in progress at shutdown."""
SETTLE_TIMEOUT = 1.0
"""Seconds to count the published posts after that."""
LEAVE_TIMEOUT = 2.0
"""Seconds for Faust to leave the group, and to close the connections."""
END_TIMEOUT = 9.5
"""Seconds after SIGTERM at which the process exits, finished or not."""
LABELS_LOOK = 10.0
"""Seconds between two checks of the group's entity types."""
EXIT_TIMEOUT = 1.0
"""Seconds for threads to end: a thread that hangs must not keep the process."""

log = logging.getLogger("trimod.worker")


class Worker:
    """The worker of one process; `run` it once, inside a running event loop."""

    def __init__(self, components: WorkerComponents) -> None:
        self._components = components
        self._types = types_of(components.pipeline.active.tagger.labels)
        self._failed: TrimodError | None = None
        register_gauges(components)

    async def run(self) -> None:
        """Run until SIGTERM, SIGINT or `stop`. Raises BrokenWorker if it cannot continue."""
        components, loop = self._components, asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        health = functools.partial(health_of, components)
        async with serve(components.settings.worker, components.metrics.registry, health):
            components.pipeline.start()
            components.watchdog.start()
            try:
                await self._work()
            except TrimodError as error:
                self._failed = error
                components.watchdog.end_within(END_TIMEOUT, error.exit_code)
                raise
            finally:
                await self._close()
                components.watchdog.end_within(EXIT_TIMEOUT, self._exit_code())

    def stop(self) -> None:
        """Finish the posts in progress, commit, and exit."""
        self._components.stop.set()

    async def _work(self) -> None:
        components = self._components
        components.background.start(components.progress.beat())
        components.background.start(components.eviction.watch())
        stopping = asyncio.create_task(components.stop.wait())
        starting = asyncio.create_task(self._join())
        crashed = asyncio.create_task(components.app._crashed.wait())
        await self._first_of(stopping, starting, crashed)
        if starting.done():
            self._check_start(starting)
            components.lifecycle.state = "running"
            for forever in (
                components.committer.commit_periodically(),
                components.intake.pass_gaps(),
                components.counter_audit.watch(),
                self._watch_labels(),
                components.switch.watch(),
            ):
                components.background.start(forever)
            await self._first_of(stopping, crashed)
        for task in (crashed, stopping, starting):
            task.cancel()
        if components.background.broken.done() or not components.stop.is_set():
            raise self._cause()

    async def _join(self) -> None:
        """Start reading as a member of the group, once we know that our entity types are the group's."""
        await self._check_labels()
        await self._components.app.start()

    async def _check_labels(self) -> None:
        group = self._components.settings.kafka.group
        check = functools.partial(self._components.labels.check, group, self._types)
        await self._components.backoff.persist("checking the group's entity types", check)

    async def _watch_labels(self) -> None:
        """Notice if the group's types change, or if Redis had lost them; never ends."""
        while True:
            await asyncio.sleep(LABELS_LOOK)
            await self._check_labels()

    def _check_start(self, starting: asyncio.Task[Any]) -> None:
        """Raises PassingFault if the broker became unavailable since the topics were checked. Raises AccessDenied or
        SettingsError for what a restart cannot fix."""
        kafka = self._components.settings.kafka
        try:
            starting.result()
        except (KafkaError, OSError) as error:
            found = explain(error, kafka)
            if found.exit_code == AccessDenied.exit_code:
                raise found from error
            raise PassingFault(
                f"the worker cannot start reading from the broker at {kafka.bootstrap_servers}: {error!r}"
            ) from error

    async def _first_of(self, *tasks: asyncio.Task[Any]) -> None:
        """Return when one of these is done, or the worker is broken."""
        await asyncio.wait({*tasks, self._components.background.broken}, return_when=asyncio.FIRST_COMPLETED)

    def _cause(self) -> TrimodError:
        """Why it cannot continue; the exit code tells whether a restart may help."""
        if not self._components.background.broken.done():
            reason = self._components.app.crash_reason
            if isinstance(reason, KafkaError):
                return explain(reason, self._components.settings.kafka)
            return BrokenWorker(f"the worker cannot continue: Faust crashed: {reason!r}")
        error = self._components.background.error
        if isinstance(error, TrimodError):
            return error
        return BrokenWorker(f"the worker cannot continue: {error!r}")

    def _exit_code(self) -> int:
        error = self._failed or self._components.background.error
        if isinstance(error, TrimodError):
            return error.exit_code
        return 0 if self._components.stop.is_set() and error is None else BrokenWorker.exit_code

    async def _close(self) -> None:
        """Finish posts in progress if this is a clean shutdown, commit finished posts, and leave the group."""
        components = self._components
        orderly = components.stop.is_set() and components.background.error is None
        components.lifecycle.state = "draining" if orderly else "broken"
        components.assignment.begin_no_more()
        if orderly:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained(), DRAIN_TIMEOUT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(components.delivery.settle(), SETTLE_TIMEOUT)
        await components.assignment.close(blameless=not isinstance(components.background.error, FailedOnPost))
        components.background.cancel()
        components.intake.close_all()
        components.delivery.close_all()
        await components.pipeline.stop()
        ends = (components.app.stop(), components.publisher.close(), components.counters.close())
        await asyncio.gather(*(asyncio.wait_for(end, LEAVE_TIMEOUT) for end in ends), return_exceptions=True)
        log.info("stopped")

    async def _drained(self) -> None:
        for partition in list(self._components.partitions.values()):
            await partition.work.empty()

    def _on_signal(self, number: int) -> None:
        log.info("%s: finishing the posts in progress", signal.Signals(number).name)
        asyncio.get_running_loop().remove_signal_handler(number)  # the next one ends the process at once
        self._components.watchdog.end_within(END_TIMEOUT, BrokenWorker.exit_code)
        self.stop()
