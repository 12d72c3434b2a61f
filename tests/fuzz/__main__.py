"""`make fuzz`: mutated posts and images through the worker's own functions; exits with 1 where an outcome is not one
of those that must be.

    make fuzz [POSTS=100000] [IMAGES=10000] [SHIPPED=2000] [SEED=1]
    make fuzz REPLAY=.local/fuzz/1-posts-17.post
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.fuzz.cases import POISON, POISON_MARK, Case
from tests.fuzz.oracle import verdict
from tests.fuzz.report import Tally, show
from tests.fuzz.runner import Outcome, Parent
from tests.fuzz.worker import MAKERS, SHIPPED, line_of
from tests.support.tiny_checkpoint import tiny_checkpoint

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a process: before torch is imported


SAY_EVERY = 5000
"""Posts after which a line is printed where there is no terminal for a bar."""
FAILURES = Path(".local/fuzz")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--posts", type=int, default=100_000, help="mutated posts")
    parser.add_argument(
        "--images", type=int, default=10_000, help="mutated images, each in a post of its own"
    )
    parser.add_argument(
        "--shipped", type=int, default=2_000, help="mutated posts tagged by the shipped checkpoint"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other posts")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--failures", type=Path, default=FAILURES, help="folder for posts that something is wrong with"
    )
    parser.add_argument(
        "--replay", type=Path, help="a post from there: tag it alone, and say what became of it"
    )
    options = parser.parse_args(arguments)
    if options.replay is not None:
        return replay(options.replay)
    sizes = {"posts": options.posts, "images": options.images, "shipped": options.shipped}
    with tempfile.TemporaryDirectory() as folder:
        parent = Parent(options.seed, tiny_checkpoint(Path(folder) / "tiny"), options.jobs)
        return fuzz(parent, sizes, options.seed, options.failures)


def fuzz(parent: Parent, sizes: dict[str, int], seed: int, failures: Path) -> int:
    """Run everything, print the report; the exit status."""
    console = Console(width=140)
    tally, began = Tally(), time.monotonic()
    bar = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*bar, console=console) as progress:
        tasks = {kind: progress.add_task(kind, total=size) for kind, size in sizes.items() if size}
        for outcome in parent.run(sizes):
            progress.advance(tasks[outcome.kind])
            tally.add(outcome)
            if not console.is_terminal and tally.cases.total() % SAY_EVERY == 0:
                console.print(f"{dict(tally.cases)} after {time.monotonic() - began:.0f} s")
            if outcome.result.problem:
                progress.console.print(
                    _keep(outcome, seed, failures), markup=False, highlight=False, soft_wrap=True
                )
    seconds = time.monotonic() - began
    show(tally, console)
    console.print(
        f"{tally.cases.total() / seconds:.0f} posts/s, {seconds:.0f} s; peak memory of a process: {parent.peak:,} MiB, "
        f"at most {parent.grown:,} MiB over the loaded model"
    )
    missing = sum(sizes.values()) - tally.cases.total()
    if missing:
        console.print(f"{missing} posts have no outcome")
    return 1 if tally.problems or missing else 0


def _keep(outcome: Outcome, seed: int, failures: Path) -> str:
    """Write the post down; what is wrong and how to see it again."""
    failures.mkdir(parents=True, exist_ok=True)
    file = failures / f"{seed}-{outcome.kind}-{outcome.index}.post"
    file.write_bytes(MAKERS[outcome.kind](seed, outcome.index).value or b"")
    result = outcome.result
    return f"{result.mutation}: {result.outcome}: {result.problem.strip()}\n  again: make fuzz REPLAY={file}"


def replay(file: Path) -> int:
    """Tag the post in `file` with the shipped checkpoint, or with the one that its name says."""
    value = file.read_bytes()
    poison = POISON_MARK.encode() in value or json.dumps(POISON_MARK).encode()[1:-1] in value
    case = Case("replay", value, POISON if poison else verdict(value))
    with tempfile.TemporaryDirectory() as folder:
        shipped = "shipped" in file.name
        checkpoint = SHIPPED if shipped else tiny_checkpoint(Path(folder) / "tiny")
        (result,) = line_of(checkpoint).run([case])
    print(
        f"{result.outcome}, images {result.images}, {result.seconds:.2f} CPU seconds; expected {case.expected}"
    )
    if result.problem:
        print(result.problem)
    return 1 if result.problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
