"""`trimod counters`: look after the counts in Redis. The work is in stream/counters/rebuild.py,
stream/counters/store.py."""

import asyncio

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stream.cli.options import with_settings
from stream.config.settings import Settings
from stream.counters.rebuild import rebuild
from stream.counters.store import Counters


@click.group(epilog="Example: trimod counters rebuild")
def counters() -> None:
    """The live counts in Redis."""


@counters.command("rebuild", epilog="Example: trimod counters rebuild")
@click.option("--incomplete", is_flag=True, help="Also where the oldest receipts are no longer kept.")
@with_settings
def rebuild_command(settings: Settings, incomplete: bool) -> None:
    """Count anew from the receipts of all tagged posts, exactly, while workers go on.

    For when a worker says that the counters are not to be trusted, or Redis lost its data. Readers see the
    old counts until the new ones are complete. Refused where the oldest receipts are no longer kept (a
    retention of their topic), as what they counted would be lost.
    """
    console = Console(stderr=True)
    columns = (TextColumn("receipts"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("receipts", total=None)
        done = asyncio.run(
            rebuild(settings, lambda read, total: bar.update(task, completed=read, total=total), incomplete)
        )
    click.echo(f"rebuilt from {done.receipts} receipts in {done.seconds:.1f} s")
    if done.others:
        click.echo(
            f"{done.others} receipts are of other groups than {settings.kafka.group}; left out", err=True
        )
    if done.unreadable:
        click.echo(
            f"{done.unreadable} records of {settings.kafka.tagged_topic} are no receipts; left out", err=True
        )
    if done.incomplete:
        click.echo("the oldest receipts are no longer kept: what they counted is gone", err=True)


@counters.command(epilog="Example: trimod counters show --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings
def show(settings: Settings, as_json: bool) -> None:
    """Show how many posts and mentions are counted, how many repeats passed over, and up to which offsets."""
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
