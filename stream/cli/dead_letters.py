"""`trimod dead`: list, show and send back posts that could not be tagged (stream/kafka/dead_letters.py)."""

from datetime import UTC, datetime

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream.cli.options import with_settings
from stream.cli.terminal import plural, printable
from stream.config.settings import Settings
from stream.kafka.dead_letters import DeadEntry, all_dead, get_dead, list_dead, replay


@click.group(epilog="Example: trimod dead list --max 20")
def dead() -> None:
    """The dead-letter topic: posts that could not be tagged, each with the reason."""


@dead.command("list", epilog="Example: trimod dead list --max 20")
@click.option("--max", "newest", type=click.IntRange(min=1), metavar="N", help="Show only the N newest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@with_settings
def list_command(settings: Settings, newest: int | None, as_json: bool) -> None:
    """List dead letters, oldest first, with their origin and error. `show` prints the original bytes."""
    letters = list_dead(settings.kafka, newest)
    if as_json:
        for letter in letters:
            click.echo(orjson.dumps(_as_json(letter)).decode())
        return
    table = Table("id", "moved", "from", "key", "bytes", "error", "message")
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
        table.add_row(*map(Text, cells))  # Text: posts are untrusted, not markup
    Console().print(table if letters else f"no dead letters in {settings.kafka.dead_topic}")


@dead.command(epilog="Example: trimod dead show 0:17")
@click.argument("name", metavar="ID")
@with_settings
def show(settings: Settings, name: str) -> None:
    """Print the headers and bytes of one dead letter. Invalid UTF-8 is escaped. ID is PARTITION:OFFSET."""
    (letter,) = get_dead(settings.kafka, [name])
    click.echo(f"id: {letter.name}")
    for header, value in letter.headers.items():
        click.echo(f"{header}: {printable(value)}")
    click.echo(f"moved: {_time(letter)}")
    click.echo(f"key: {_text(letter.key)}")
    click.echo(f"bytes: {letter.size}\n")
    click.echo(_text(letter.value))


@dead.command("replay", epilog="Example: trimod dead replay 0:17 0:18, or: trimod dead replay --all")
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="Send all dead letters, including those sent back before."
)
@with_settings
def replay_command(settings: Settings, names: tuple[str, ...], everything: bool) -> None:
    """Send dead letters back, unchanged, to the topics they came from. They are then tagged again.

    They also stay in the dead-letter topic. A post that fails again is added again.
    """
    if bool(names) == everything:
        raise click.UsageError(
            "give the IDs of the dead letters to send back (see `trimod dead list`), or --all, not both"
        )
    letters = all_dead(settings.kafka) if everything else get_dead(settings.kafka, names)
    click.echo(f"sent back {plural(replay(settings.kafka, letters), 'post')}")


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
    return "(none)" if data is None else printable(data.decode("utf-8", "backslashreplace"))
