"""`trimod group`: the workers' consumer group, and the entity types it emits (stream/counters/group_types.py)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from models.core.errors import TrimodError
from stream.cli.options import with_settings
from stream.cli.terminal import plural
from stream.config.settings import Settings
from stream.consumer.group import members
from stream.counters.group_types import GroupLabels, types_of
from stream.counters.store import Counters

T = TypeVar("T")


@click.group(epilog="Example: trimod group show")
def group() -> None:
    """The workers' consumer group (kafka.group) and the entity types it emits."""


@group.command(epilog="Example: trimod group show --set kafka.group=mine")
@with_settings
def show(settings: Settings) -> None:
    """Show the number of members of the group, and the entity types that all its workers must emit."""
    types = _with_labels(settings, lambda labels: labels.read())
    click.echo(f"group    {settings.kafka.group}")
    click.echo(f"members  {members(settings.kafka)}")
    click.echo(f"types    {', '.join(types) if types else 'none yet: the first worker sets them'}")


@group.command(
    epilog="""
\b
Example: switch the group to the types of another model
  trimod group relabel runs/mine/checkpoint
"""
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@with_settings
def relabel(settings: Settings, checkpoint: Path) -> None:
    """Change the group's entity types to those of CHECKPOINT. Stop its workers first.

    A worker cannot join a group that has other types: part of the partitions would emit different types.
    Counts of types that are no longer emitted are kept.
    """
    from models.checkpoints.promotion import labels_of

    types = types_of(labels_of(checkpoint))
    if count := members(settings.kafka):
        raise TrimodError(
            f"group {settings.kafka.group} has {plural(count, 'member')}: stop its workers first (nothing was changed)"
        )
    before = _with_labels(settings, lambda labels: labels.read())
    _with_labels(settings, lambda labels: labels.write(types))
    click.echo(
        f"group {settings.kafka.group} emits {', '.join(types)} (before: {', '.join(before or ['none'])})"
    )


def _with_labels(settings: Settings, use: Callable[[GroupLabels], Awaitable[T]]) -> T:
    async def run() -> T:
        counters = Counters(settings.redis, settings.kafka.group)
        try:
            return await use(GroupLabels(counters))
        finally:
            await counters.close()

    return asyncio.run(run())
