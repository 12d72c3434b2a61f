"""What is done with posts that are suspected of having killed workers: a policy over the stages, not a second way.

The journal (stream/pipeline/journal.py) says of which. One that was alone in work at a death is given up; the others
pass the same stages as every post (stream/pipeline/stages.py), but one at a time and with nothing beside them on any
thread, so that the next death shows which it was."""

import asyncio
from collections.abc import Awaitable, Callable

from stream.pipeline.item import Work
from stream.pipeline.journal import Journal
from stream.pipeline.tagging import Failed
from stream.runtime.rwlock import Gate


class Suspects:
    """Of one worker's pipeline."""

    def __init__(self, journal: Journal, gate: Gate, memory_lock: asyncio.Lock) -> None:
        """`memory_lock` keeps apart what may run out of memory by itself: here, and loading another model."""
        self._journal, self._gate, self._memory_lock = journal, gate, memory_lock

    def killed_by(self, work: Work) -> Failed | None:
        """Why the post is given up unseen; None where it is none that was alone at a death."""
        suspicion = work.partition.claim.suspicion if work.partition.claim else None
        if suspicion is None or work.offset not in suspicion.killers:
            return None
        died = f"{suspicion.deaths} workers in a row died, the last with this post alone in work"
        return Failed("KillsWorker", died)

    def careful(self, work: Work) -> bool:
        """Whether the post is to be worked on alone."""
        claim = work.partition.claim
        return claim is not None and claim.suspicion.careful(work.offset)

    async def alone(self, work: Work, stages: Callable[[Work], Awaitable[None]]) -> None:
        """Have `work` pass `stages` while nothing else is in work."""
        async with self._memory_lock, self._gate.alone():
            claim = work.partition.claim
            if work.partition.closed or claim is None:
                return
            await stages(work)
            await self._journal.note_survived(claim)

    async def note(self, work: Work) -> None:
        """It is about to be worked on, and nothing else is: into the journal."""
        if work.partition.claim is not None:
            await self._journal.note_alone(work.partition.claim, work.offset)
