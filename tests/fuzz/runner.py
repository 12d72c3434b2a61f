"""Hands chunks of cases to child processes, and learns of those that kill or hang one: they are run again alone."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

from tests.fuzz.in_process_worker import Result
from tests.fuzz.worker import Chunk, Report, case_of, serve

CHUNK = 128
MOST_WALL_SECONDS = 600.0
"""Seconds that a chunk may take before its process is ended: it hangs. Single posts are judged by CPU seconds."""
MOST_MEMORY = 1536
"""MiB that a process may grow by."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case and what became of it."""

    kind: str
    index: int
    result: Result


@dataclass
class _Child:
    """A process and what it works on."""

    seed: int
    tiny: Path
    chunk: Chunk | None = None
    began: float = 0.0

    def __post_init__(self) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.seed, self.tiny), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, chunk: Chunk) -> None:
        self.chunk, self.began = chunk, time.monotonic()
        self.connection.send(chunk)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class Parent:
    """Runs all chunks; `peak` is the most MiB that a child has had, `grown` the most that one grew by."""

    def __init__(self, seed: int, tiny: Path, jobs: int) -> None:
        self._seed, self._tiny, self._jobs = seed, tiny, jobs
        self._waiting: deque[Chunk] = deque()
        self.peak = self.grown = 0

    def run(self, sizes: dict[str, int]) -> Iterator[Outcome]:
        """The outcome of every case, as they come."""
        self._waiting.extend(
            Chunk(kind, start, min(size, start + CHUNK))
            for kind, size in sizes.items()
            for start in range(0, size, CHUNK)
        )
        children: list[_Child] = []
        try:
            while self._waiting or any(child.chunk for child in children):
                self._feed(children)
                ready = wait([child.connection for child in children if child.chunk], timeout=1.0)
                for child in list(children):
                    if child.connection in ready:
                        yield from self._take(child, children)
                    elif child.chunk and time.monotonic() > child.began + MOST_WALL_SECONDS:
                        yield from self._lost(child, children, "hang")
        finally:
            for child in children:
                child.end()

    def _feed(self, children: list[_Child]) -> None:
        while self._waiting and len(children) < self._jobs:
            children.append(_Child(self._seed, self._tiny))
        for child in children:
            if child.chunk is None and self._waiting:
                child.give(self._waiting.popleft())

    def _take(self, child: _Child, children: list[_Child]) -> Iterator[Outcome]:
        chunk = child.chunk
        assert chunk is not None
        try:
            report: Report = child.connection.recv()
        except (EOFError, ConnectionError):
            yield from self._lost(child, children, "crash")
            return
        child.chunk = None
        self.peak, self.grown = max(self.peak, report.peak), max(self.grown, report.grown)
        if report.grown > MOST_MEMORY:
            child.end()
            children.remove(child)
            yield from self._again_alone(chunk, "memory", f"the process grew by {report.grown} MiB")
            return
        for index, result in enumerate(report.results, chunk.start):
            yield Outcome(chunk.kind, index, result)

    def _lost(self, child: _Child, children: list[_Child], outcome: str) -> Iterator[Outcome]:
        """The child died or hangs over its chunk."""
        child.process.join(0 if outcome == "hang" else 10)
        code = child.process.exitcode
        why = (
            f"no end after {MOST_WALL_SECONDS:.0f} s"
            if outcome == "hang"
            else f"the process ended with {code}"
        )
        chunk = child.chunk
        assert chunk is not None
        child.end()
        children.remove(child)
        yield from self._again_alone(chunk, outcome, why)

    def _again_alone(self, chunk: Chunk, outcome: str, why: str) -> Iterator[Outcome]:
        """Each case of the chunk for itself; one that was alone already is to blame."""
        if chunk.stop - chunk.start > 1:
            singles = [Chunk(chunk.kind, index, index + 1) for index in range(chunk.start, chunk.stop)]
            self._waiting.extendleft(reversed(singles))
            return
        mutation = case_of(chunk, self._seed, chunk.start).mutation
        yield Outcome(chunk.kind, chunk.start, Result(mutation, outcome, problem=why))
