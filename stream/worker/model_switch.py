"""Switches a running worker to the checkpoint that `trimod checkpoint promote` has pointed to.

The pointer file is checked every second. A new checkpoint is loaded in a separate thread, while the old model stays in
use. The thread has normal priority: with a lower one, it could be suspended while it holds the interpreter lock, and
block all others. Nothing is loaded while a suspect post is processed alone: if loading caused an out-of-memory kill,
that post would be blamed.

Loading verifies the manifest and the golden posts, and tags them. After that, posts are prepared for the new model;
posts in progress are tagged by the model that prepared them. If anything fails, the old model stays in use. Log,
/health and /metrics report the reason until another checkpoint is promoted.
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
"""Seconds between two checks of the pointer."""

log = logging.getLogger("trimod.worker")

Stamp = tuple[int, int, int] | None


class CheckpointSource:
    """The source of a worker's model: `load` loads the checkpoint that `path` is, or currently points to."""

    def __init__(self, path: Path, load: Callable[[], AnyTagger]) -> None:
        self.load = load
        self._path = path
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Whether the pointer was written since the last call, or since startup. Always false for a directory."""
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
        """Why the promoted checkpoint is not in use; empty if it is."""

    async def watch(self) -> None:
        """Switch whenever another checkpoint is promoted; never ends, and never raises because of a checkpoint."""
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
            log.error("promoted checkpoint rejected, %s stays in use: %s", used.model.version, self.refused)
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
