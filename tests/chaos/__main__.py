"""`python -m tests.chaos`: fault after fault, 200 by default, and the report of what they did.

An interrupted run goes on with the next fault, on the same data, when the same command is given again.
"""

import fcntl
import shutil
import sys
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.core.errors import TrimodError
from stream.config.base import ROOT
from stream.local.signals import interruptible
from tests.chaos.faults.schedule import draw
from tests.chaos.harness import Harness
from tests.chaos.report import figures, judge, write
from tests.chaos.run_state import load

CHECK_EVERY = 25


@click.command(epilog="Example: make chaos N=200 SEED=1")
@click.option("-n", "--faults", default=200, show_default=True, help="Faults in all.")
@click.option("--seed", default=1, show_default=True, help="What the faults are drawn from.")
@click.option("--rate", default=40.0, show_default=True, help="Posts a second.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where data, logs, state and report are; a run that is there goes on.  [default: .local/chaos/SEED]",
)
@click.option("--fresh", is_flag=True, help="Begin anew: what is in the folder is deleted.")
def main(faults: int, seed: int, rate: float, directory: Path | None, fresh: bool) -> None:
    """Faults into a running group of workers, and a check that nothing is lost and nothing counted twice.

    Real Kafka, real Redis, three workers, steady posts. Exit code 1 where a promise is broken.
    """
    directory = directory or ROOT / ".local" / "chaos" / str(seed)
    try:
        with interruptible():
            sys.exit(0 if run(faults, seed, rate, directory, fresh) else 1)
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on with the next fault")
        sys.exit(130)
    except TrimodError as error:
        click.echo(f"chaos: {error}", err=True)
        sys.exit(error.exit_code)


def run(count: int, seed: int, rate: float, directory: Path, fresh: bool = False) -> bool:
    """Carry out what is left of `count` faults, and report; whether every promise was kept."""
    if fresh and (directory / "state.json").exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TrimodError(f"another run is at work in {directory}") from None
        return _run(count, seed, rate, directory)


def _run(count: int, seed: int, rate: float, directory: Path) -> bool:
    state = load(directory, seed)
    left = [fault for fault in draw(seed, count) if fault.number not in state.done]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("faults", total=count, completed=count - len(left))

        def say(line: str) -> None:
            bar.update(task, completed=len(state.records))
            bar.console.print(line, highlight=False, soft_wrap=True)

        harness = Harness(directory, state, rate, say)
        try:
            harness.start()
            harness.run(left, CHECK_EVERY)
        finally:
            harness.stop()
    transactions = harness.ingest.transactions
    ends = {how: getattr(transactions, how) for how in ("committed", "aborted", "failed")}
    found = figures(state, harness.facts, count, len(harness.acknowledged()), ends)
    for line in judge(found):
        state.violate(line)
    state.save(directory)
    click.echo(write(directory, found, state.records))
    return not state.violations


if __name__ == "__main__":
    main()
