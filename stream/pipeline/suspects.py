"""Posts that are suspected of killing workers: a policy over the normal stages, not a second path.

The journal (stream/pipeline/journal.py) has the suspects. A post that was in progress alone at a death becomes a dead
letter. The others pass the same stages as every post (stream/pipeline/stages.py), but one at a time and with no other
work on any thread. So the next death shows which one it was."""

import asyncio
from collections.abc import Awaitable, Callable

from stream.pipeline.item import Work
from stream.pipeline.journal import Journal
from stream.pipeline.tagging import Failed
from stream.runtime.rwlock import RWLock


class Suspects:
    """The suspects in one worker's pipeline."""

    def __init__(self, journal: Journal, model_lock: RWLock, memory_lock: asyncio.Lock) -> None:
        """`memory_lock` separates processing a suspect from loading another model: either may run out of memory."""
        self._journal, self._model_lock, self._memory_lock = journal, model_lock, memory_lock

    def killed_by(self, work: Work) -> Failed | None:
        """Why the post is given up without processing; None if it was not alone at a death."""
        suspicion = work.partition.claim.suspicion if work.partition.claim else None
        if suspicion is None or work.offset not in suspicion.killers:
            return None
        died = f"{suspicion.deaths} workers died in a row, the last one with only this post in progress"
        return Failed("KillsWorker", died)

    def careful(self, work: Work) -> bool:
        """Whether the post must be processed alone."""
        claim = work.partition.claim
        return claim is not None and claim.suspicion.careful(work.offset)

    async def alone(self, work: Work, stages: Callable[[Work], Awaitable[None]]) -> None:
        """Pass `work` through `stages` while nothing else is in progress."""
        async with self._memory_lock, self._model_lock.write():
            claim = work.partition.claim
            if work.partition.closed or claim is None:
                return
            await stages(work)
            await self._journal.note_survived(claim)

    async def note(self, work: Work) -> None:
        """Note in the journal that it is about to be processed alone."""
        if work.partition.claim is not None:
            await self._journal.note_alone(work.partition.claim, work.offset)
