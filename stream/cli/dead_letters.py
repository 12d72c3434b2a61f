"""`trimod dead`: list, show and send back posts that could not be tagged (stream/kafka/dead_letters.py)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import click
import orjson
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from stream.cli.options import with_settings
from stream.cli.terminal import plural, printable, visible
from stream.config.settings import Settings
from stream.kafka.dead_letters import DeadEntry, all_dead, corrected, get_dead, list_dead, replay

ORIGIN_WIDTH, ERROR_WIDTH = 20, 14
"""Columns that the origin and the error's class get at most."""


@click.group(epilog="Example: trimod dead list --max 20")
def dead() -> None:
    """The dead-letter topic: posts that could not be tagged, each with the reason."""


@dead.command("list", epilog="Example: trimod dead list --max 20")
@click.option("--max", "newest", type=click.IntRange(min=1), metavar="N", help="Show only the N newest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@with_settings
def list_command(settings: Settings, newest: int | None, as_json: bool) -> None:
    """List dead letters, oldest first, with their origin and error. `show` prints the original bytes.

    Long origins and messages are cut to the width of the terminal; `show` and --json have all of them.
    """
    letters = list_dead(settings.kafka, newest)
    if as_json:
        for letter in letters:
            click.echo(orjson.dumps(_as_json(letter)).decode())
        return
    if not letters:
        click.echo(f"no dead letters in {settings.kafka.dead_topic}")
        return
    for line in dead_lines(letters, Console().width):
        click.echo(line)


def dead_lines(letters: Sequence[DeadEntry], width: int) -> Iterator[str]:
    """One line of at most `width` columns per dead letter, after one of titles; only origins and errors are cut."""
    rows = [("id", "moved (UTC)", "from", "error", "message")]
    for letter in letters:
        error, message = (letter.headers.get(header, "?") for header in ("error", "message"))
        rows.append((letter.name, _time(letter).removesuffix("+00:00"), letter.origin, error, message))
    widths = [max(cell_len(visible(row[column])) for row in rows) for column in range(4)]
    widths = [*map(min, widths, (width, width, ORIGIN_WIDTH, ERROR_WIDTH))]
    widths.append(max(1, width - sum(widths) - 2 * len(widths)))
    for row in rows:
        yield "  ".join(map(_fitted, row, widths)).rstrip()


def _fitted(text: str, width: int) -> str:
    """The text on one line of exactly `width` columns."""
    shown = visible(text)
    if cell_len(shown) > width:
        shown = f"{set_cell_size(shown, width - 1)}\N{HORIZONTAL ELLIPSIS}"
    return set_cell_size(shown, width)


@dead.command(epilog="Example: trimod dead show 0:17 --raw > post.json")
@click.argument("name", metavar="ID")
@click.option("--raw", is_flag=True, help="Print only the original bytes, unchanged.")
@with_settings
def show(settings: Settings, name: str, raw: bool) -> None:
    """Print the headers and bytes of one dead letter. Invalid UTF-8 is escaped. ID is PARTITION:OFFSET."""
    (letter,) = get_dead(settings.kafka, [name])
    if raw:
        click.get_binary_stream("stdout").write(letter.value or b"")
        return
    click.echo(f"id: {letter.name}")
    for header, value in letter.headers.items():
        click.echo(f"{header}: {printable(value)}")
    click.echo(f"moved: {_time(letter)}")
    click.echo(f"key: {_text(letter.key)}")
    click.echo(f"bytes: {letter.size}\n")
    click.echo(_text(letter.value))


@dead.command(
    "replay",
    epilog="""
\b
Examples:
  trimod dead replay 0:17 0:18
  trimod dead replay 0:17 --file post.json
  trimod dead replay --all
""",
)
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="Send all dead letters, including those sent back before."
)
@click.option(
    "--file",
    type=click.File("rb"),
    help="Send this corrected post (JSON; - for stdin) instead of the original bytes of the one ID.",
)
@with_settings
def replay_command(
    settings: Settings, names: tuple[str, ...], everything: bool, file: BinaryIO | None
) -> None:
    """Send dead letters back, unchanged, to the topics they came from. They are then tagged again.

    They also stay in the dead-letter topic. A post that fails again is added again. To correct a post, write
    its bytes to a file with `dead show ID --raw`, edit it, and send it with --file. The key and the post's id
    stay the same.
    """
    if file is not None and (everything or len(names) != 1):
        raise click.UsageError("--file corrects one dead letter: give its ID")
    if bool(names) == everything:
        raise click.UsageError(
            "give the IDs of the dead letters to send back (see `trimod dead list`), or --all, not both"
        )
    letters = all_dead(settings.kafka) if everything else get_dead(settings.kafka, names)
    if file is not None:
        letters = [corrected(letter, file.read()) for letter in letters]
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
