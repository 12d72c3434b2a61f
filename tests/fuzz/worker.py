"""A child process that runs chunks of cases: what kills or hangs it is seen by its parent (tests/fuzz/runner.py)."""

import faulthandler
import logging
import resource
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.cases import Case
from tests.fuzz.in_process_worker import Line, PoisonableTagger, Result
from tests.fuzz.mutate_images import image_case
from tests.fuzz.mutate_posts import post_case

MAKERS = {"posts": post_case, "shipped": post_case, "images": image_case}
"""Kind -> its cases; `shipped` are posts for the shipped checkpoint."""
SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "checkpoints" / "trimod"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Cases [start, stop) of a kind."""

    kind: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a chunk, and the process's peak memory so far in MiB, over what it took to load the tagger."""

    results: list[Result]
    grown: int
    peak: int


def case_of(chunk: Chunk, seed: int, index: int) -> Case:
    return MAKERS[chunk.kind](seed, index)


def serve(parent: Connection, seed: int, tiny: Path) -> None:
    """Answer each Chunk with a Report until told None."""
    faulthandler.enable()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    lines: dict[bool, tuple[Line, int]] = {}
    while (chunk := parent.recv()) is not None:
        shipped = chunk.kind == "shipped"
        if shipped not in lines:
            lines[shipped] = line_of(SHIPPED if shipped else tiny), peak_mib()
        line, loaded = lines[shipped]
        results = line.run([case_of(chunk, seed, index) for index in range(chunk.start, chunk.stop)])
        parent.send(Report(results, peak_mib() - loaded, peak_mib()))


def line_of(checkpoint: Path) -> Line:
    return Line(PoisonableTagger.load(checkpoint, "cpu", threads=1))


def peak_mib() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
