"""`trimod counters`: show and rebuild the counts in Redis (stream/counters/rebuild.py, store.py)."""

import asyncio

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stream.cli.options import with_settings
from stream.cli.terminal import plural
from stream.config.settings import Settings
from stream.counters.rebuild import rebuild
from stream.counters.store import Counters


@click.group(epilog="Example: trimod counters rebuild")
def counters() -> None:
    """The live counts in Redis."""


@counters.command("rebuild", epilog="Example: trimod counters rebuild")
@click.option("--incomplete", is_flag=True, help="Rebuild even if the oldest receipts are no longer kept.")
@with_settings
def rebuild_command(settings: Settings, incomplete: bool) -> None:
    """Recompute exact counts from the receipts of all tagged posts, while workers run.

    Use it if a worker reports that the counters are not to be trusted, or if Redis lost its data. Readers see
    the old counts until the new ones are complete. Fails if the oldest receipts are no longer kept (topic
    retention), because their counts would be lost.
    """
    console = Console(stderr=True)
    columns = (TextColumn("receipts"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("receipts", total=None)
        done = asyncio.run(
            rebuild(settings, lambda read, total: bar.update(task, completed=read, total=total), incomplete)
        )
    click.echo(f"rebuilt from {plural(done.receipts, 'receipt')} in {done.seconds:.1f} s")
    if done.others:
        click.echo(
            f"left out {plural(done.others, 'receipt')} of groups other than {settings.kafka.group}", err=True
        )
    if done.unreadable:
        click.echo(
            f"left out {plural(done.unreadable, 'record')} of {settings.kafka.tagged_topic}: invalid receipts",
            err=True,
        )
    if done.incomplete:
        click.echo("the oldest receipts are no longer kept: their counts are lost", err=True)


@counters.command(epilog="Example: trimod counters show --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_settings
def show(settings: Settings, as_json: bool) -> None:
    """Show the number of counted posts, mentions and skipped duplicates, and the last counted offsets."""
    tallies, marks = asyncio.run(_state(settings))
    if as_json:
        click.echo(orjson.dumps({"tallies": tallies, "marks": marks}).decode())
        return
    for name in sorted(tallies):
        click.echo(f"{name:<20} {tallies[name]:>12}")
    for field in sorted(marks):
        click.echo(f"counted up to offset {marks[field]} of {field}")


async def _state(settings: Settings) -> tuple[dict[str, int], dict[str, int]]:
    reader = Counters(settings.redis, settings.kafka.group)
    try:
        return await reader.tallies(), await reader.marks()
    finally:
        await reader.close()
