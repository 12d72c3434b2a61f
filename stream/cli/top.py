"""`trimod top`: the most mentioned entities. Reads only Redis; stream/counters/store.py counts."""

import asyncio
from datetime import UTC, datetime

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.core.errors import TrimodError
from models.core.post import TYPES
from stream.cli.options import Duration, with_settings
from stream.config.settings import Settings
from stream.counters.store import OLDER, Counters, Ranked


@click.command(epilog="Example: trimod top PER --window 1h --limit 5")
@click.argument("type_", metavar="[TYPE]", required=False)
@click.option("--window", type=Duration(), help="Only posts of this recent period, such as 15m, 1h or 7d.")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Rows per type.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_settings
def top(settings: Settings, type_: str | None, window: float | None, limit: int, as_json: bool) -> None:
    """Show the most mentioned entities of one TYPE (PER, LOC, ORG, MISC) or of every type.

    Without --window, all posts count. A post counts under its own time: a short window has no old posts. An
    entity is shown as most posts write it.
    """
    ranking = asyncio.run(read_top(settings, type_.upper() if type_ else None, window, limit))
    if as_json:
        named = {kind: [each._asdict() for each in rows] for kind, rows in ranking.items()}
        click.echo(orjson.dumps(named).decode())
        return
    if not any(ranking.values()):
        click.echo(asyncio.run(_why_nothing(settings, type_.upper() if type_ else None, window)))
        return
    Console().print(top_table(ranking))


async def read_top(
    settings: Settings, type_: str | None, window: float | None, limit: int
) -> dict[str, list[Ranked]]:
    """Type -> entities, most mentioned first, from Redis. Raises TrimodError for an unknown type."""
    counters = Counters(settings.redis, settings.kafka.group)
    try:
        if type_:
            _check_type(type_, await counters.tallies())
        await _warn_if_untrusted(counters)
        return await counters.most_mentioned(type_, window, limit)
    finally:
        await counters.close()


async def _why_nothing(settings: Settings, type_: str | None, window: float | None) -> str:
    """What to say if there are no counts: whether there are some outside the window, and of when."""
    counters = Counters(settings.redis, settings.kafka.group)
    try:
        of_type = f"mentions:{type_ or ''}"
        if not any(number for name, number in (await counters.tallies()).items() if name.startswith(of_type)):
            return "nothing counted yet"
        newest = await counters.newest(type_) if window else None
    finally:
        await counters.close()
    if newest is None:
        return "nothing counted in this window: the counted posts are older than redis.keep_days, or from the future"
    when = datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"nothing counted in this window: the newest counted mention is of {when} (by the post's own time)"


async def _warn_if_untrusted(counters: Counters) -> None:
    _, reason = await counters.distrusted()
    if reason := reason or (OLDER if await counters.older() else ""):
        click.echo(f"{reason}: these counts are not to be trusted until `trimod counters rebuild`", err=True)


def _check_type(type_: str, tallies: dict[str, int]) -> None:
    """A model may have other types than the usual ones: every counted type is valid."""
    known = {*TYPES, *(name.removeprefix("mentions:") for name in tallies if name.startswith("mentions:"))}
    if type_ not in known:
        raise TrimodError(f"unknown type {type_}: expected one of {', '.join(sorted(known))}")


def top_table(ranking: dict[str, list[Ranked]]) -> Table:
    """One row per entity, in the form seen most often; a section per type."""
    table = Table("type", "entity", "mentions")
    table.columns[2].justify = "right"
    for kind, rows in ranking.items():
        for row, entity in enumerate(rows):
            table.add_row(
                "" if row else kind,
                Text(entity.text),
                str(entity.mentions),
                end_section=row == len(rows) - 1,
            )
    return table
