"""Another model for a worker that runs: the checkpoint that `trimod checkpoint promote` has pointed to.

The pointer file is looked at every second. What it names is loaded beside the model in use, in a thread of its own
(of no lower priority: it would be put aside while it holds the interpreter's lock, and hold everybody up), but never
while a suspect post is handled alone: a process killed for memory by the load would condemn that post. Loading
verifies the manifest and the golden posts, and tags them. Only then it is the one that posts are
prepared for from now on; posts in work are tagged by the one that prepared them. Whatever fails: the old one stays,
and log, /health and /metrics say why, until something else is promoted.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.checkpoints.promotion import check_same_labels
from models.core.errors import TrimodError
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel, AnyTagger
from stream.pipeline.stages import Pipeline

LOOK = 1.0
"""Seconds between two looks at the pointer."""

log = logging.getLogger("trimod.worker")

Stamp = tuple[int, int, int] | None


class CheckpointSource:
    """Where a worker's model comes from: `load` loads what `path` is, or points to, when it is called."""

    def __init__(self, path: Path, load: Callable[[], AnyTagger]) -> None:
        self.load = load
        self._path = path
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Whether the pointer was written since the last call, or since the beginning. A folder never is."""
        before, self._seen = self._seen, self._stamp()
        return self._seen != before

    def _stamp(self) -> Stamp:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return None if self._path.is_dir() else (stat.st_ino, stat.st_mtime_ns, stat.st_size)


class ModelSwitch:
    """Watches one worker's pointer."""

    def __init__(self, source: CheckpointSource, pipeline: Pipeline, metrics: Metrics) -> None:
        self._source, self._pipeline, self._metrics = source, pipeline, metrics
        self.refused = ""
        """Why what is promoted is not in use; empty where it is."""

    async def watch(self) -> None:
        """Switch whenever something else is promoted; never ends, never raises for a checkpoint's faults."""
        while True:
            await asyncio.sleep(LOOK)
            if self._source.changed():
                await self._switch()

    async def _switch(self) -> None:
        used = self._pipeline.active
        try:
            new = await self._load()
            check_same_labels(new.tagger.labels, used.tagger.labels, used.model.version)
        except Exception as error:
            reason = str(error) if isinstance(error, TrimodError) else repr(error)
            self.refused = " ".join(reason.split())
            self._metrics.switches.labels("refused").inc()
            log.error(
                "the promoted checkpoint is refused, %s stays in use: %s", used.model.version, self.refused
            )
            return
        self.refused = ""
        if new.model != used.model:
            self._pipeline.active = new
            self._metrics.model(new.model)
            self._metrics.switches.labels("switched").inc()
            log.info("switched from %s to %s", used.model.version, new.model.version)

    async def _load(self) -> ActiveModel:
        pool = ThreadPoolExecutor(1, thread_name_prefix="switch")
        try:
            async with self._pipeline.memory_lock:
                return await asyncio.get_running_loop().run_in_executor(
                    pool, lambda: ActiveModel(self._source.load())
                )
        finally:
            pool.shutdown(wait=False)
