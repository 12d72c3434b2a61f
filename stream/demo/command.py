"""`trimod demo`: tags the sample posts with a real Kafka, two workers and Redis, and shows the results."""

import time
from pathlib import Path

import click
from rich.console import Console

from models.checkpoints.format import verify
from models.core.places import in_repository
from stream.cli.options import with_settings
from stream.config.settings import Settings
from stream.demo.run import SAMPLES, run_demo
from stream.demo.tables import dead_table, entities_table, ranking_table, read_texts
from stream.errors import BrokenWorker
from stream.local.signals import interruptible

PIPE_WIDTH = 140
"""Columns if the output is not a terminal."""


@click.command(epilog="Example: trimod demo --checkpoint deploy/checkpoints/trimod")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Directory of the checkpoint (worker.checkpoint)."
)
@with_settings
def demo(settings: Settings, checkpoint: Path | None) -> None:
    """Tag the sample posts and show the entities. Exits when done, and leaves nothing behind.

    Starts a separate Kafka, Redis and two workers on free ports, and sends deploy/samples/posts.jsonl. Waits
    until every post has a receipt or a dead letter, and stops everything. The last line has the totals.
    """
    in_repository("deploy/samples", "the demo")
    if checkpoint is not None:
        worker = settings.worker.model_copy(update={"checkpoint": checkpoint.resolve()})
        settings = settings.model_copy(update={"worker": worker})
    verify(settings.worker.checkpoint)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    started, said = time.monotonic(), ""
    with interruptible(), console.status("") as status:

        def say(line: str) -> None:
            nonlocal said
            status.update(line)
            if line != said:
                console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {line}")
            said = line

        outcome = run_demo(settings, say)
    console.print(entities_table(outcome.entities, read_texts(SAMPLES / "posts.jsonl")))
    console.print(ranking_table(outcome.ranking))
    console.print(dead_table(outcome.dead))
    click.echo(outcome.summary)
    if outcome.posts != outcome.tagged + len(outcome.dead):
        raise BrokenWorker("the totals do not match: every post must be either tagged or in posts.dead")
