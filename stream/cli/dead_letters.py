"""`trimod dead`: posts that could not be tagged, to look at or send back. The work is in
stream/kafka/dead_letters.py."""

from datetime import UTC, datetime

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream.cli.options import with_settings
from stream.cli.terminal import _printable
from stream.config.settings import Settings
from stream.kafka.dead_letters import DeadEntry, all_dead, get_dead, list_dead, replay


@click.group(epilog="Example: trimod dead list --max 20")
def dead() -> None:
    """The dead-letter topic: posts that could not be tagged, each with its reason."""


@dead.command("list", epilog="Example: trimod dead list --max 20")
@click.option("--max", "newest", type=click.IntRange(min=1), help="Only the newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@with_settings
def list_command(settings: Settings, newest: int | None, as_json: bool) -> None:
    """List dead letters, oldest first: where each came from, and why it died; `show` prints what was sent."""
    letters = list_dead(settings.kafka, newest)
    if as_json:
        for letter in letters:
            click.echo(orjson.dumps(_as_json(letter)).decode())
        return
    table = Table("id", "died", "from", "key", "bytes", "error", "message")
    for letter in letters:
        cells = (
            letter.name,
            _time(letter),
            letter.origin,
            _text(letter.key),
            str(letter.size),
            letter.headers.get("error", "?"),
            letter.headers.get("message", "?"),
        )
        table.add_row(*map(Text, cells))  # Text: posts are strangers' words, not markup
    Console().print(table if letters else f"no dead letters in {settings.kafka.dead_topic}")


@dead.command(epilog="Example: trimod dead show 0:17")
@click.argument("name", metavar="ID")
@with_settings
def show(settings: Settings, name: str) -> None:
    """Print one dead letter: its headers and bytes, what is no UTF-8 as escapes. ID is PARTITION:OFFSET."""
    (letter,) = get_dead(settings.kafka, [name])
    click.echo(f"id: {letter.name}")
    for header, value in letter.headers.items():
        click.echo(f"{header}: {_printable(value)}")
    click.echo(f"died: {_time(letter)}")
    click.echo(f"key: {_text(letter.key)}")
    click.echo(f"bytes: {letter.size}\n")
    click.echo(_text(letter.value))


@dead.command("replay", epilog="Example: trimod dead replay 0:17 0:18, or: trimod dead replay --all")
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are kept now, also those sent back before.")
@with_settings
def replay_command(settings: Settings, names: tuple[str, ...], everything: bool) -> None:
    """Send dead letters back to the topics they came from, as they were, to be tagged anew.

    They stay in the dead-letter topic; one that fails again is added anew.
    """
    if bool(names) == everything:
        raise click.UsageError("name the dead letters to send back (see `trimod dead list`), or give --all")
    letters = all_dead(settings.kafka) if everything else get_dead(settings.kafka, names)
    click.echo(f"sent back {replay(settings.kafka, letters)} posts")


def _as_json(letter: DeadEntry) -> dict[str, object]:
    headers = {**letter.headers, "time": letter.died_at}
    for number in ("partition", "offset"):
        if headers.get(number, "").isdigit():  # type: ignore[union-attr]
            headers[number] = int(headers[number])  # type: ignore[arg-type]
    return {
        "id": letter.name,
        **headers,
        "key": None if letter.key is None else _text(letter.key),
        "bytes": letter.size,
    }


def _time(letter: DeadEntry) -> str:
    if letter.died_at is None:
        return "?"
    return datetime.fromtimestamp(letter.died_at / 1000, UTC).isoformat(sep=" ", timespec="seconds")


def _text(data: bytes | None) -> str:
    return "(none)" if data is None else _printable(data.decode("utf-8", "backslashreplace"))
