"""`trimod tail`: entity events as they arrive, one readable line each (the reader is stream/kafka/reader.py)."""

import select
import sys
import unicodedata
from collections.abc import Collection
from contextlib import closing
from itertools import islice

import click
from pydantic import ValidationError

from stream.cli.options import with_settings
from stream.cli.terminal import COLOURS, visible
from stream.config.settings import Settings
from stream.kafka.reader import follow
from stream.messages.events import EntityEvent


def describe(value: bytes) -> str:
    """One coloured line: type, mention, confidence, modality weights, post. Marks records that are not events."""
    try:
        event = EntityEvent.model_validate_json(value)
    except ValidationError:
        start = value[:200].decode("utf-8", "backslashreplace")
        return click.style(f"not an entity event: {visible(start)}", dim=True)
    weights = " ".join(f"{name} {weight:.0%}" for name, weight in event.weights.items())
    kind = click.style(f"{event.type:<4}", fg=COLOURS.get(event.type, "cyan"), bold=True)
    mention = click.style(visible(event.text), bold=True)
    counted = f" ({visible(event.canonical)})" if event.canonical != event.text else ""
    details = (
        f"{event.confidence:.2f}" + (f"  {weights}" if weights else "") + f"  post {visible(event.post_id)}"
    )
    return f"{kind}  {mention}{counted}  {click.style(details, dim=True)}"


def chosen(value: bytes, types: Collection[str], text: str) -> bool:
    """Whether a record is an event of one of `types` (any if empty) whose mention or canonical form contains `text`."""
    if not types and not text:
        return True
    try:
        event = EntityEvent.model_validate_json(value)
    except ValidationError:
        return False
    of_type = not types or _folded(event.type) in {_folded(type_) for type_ in types}
    return of_type and any(_folded(text) in _folded(form) for form in (event.text, event.canonical))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _pipe_closed() -> bool:
    """Whether the reader of our pipe has gone: otherwise `tail | head` would wait for one more event."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


@click.command(epilog="Example: trimod tail --from-beginning --type PER --text swift --max 20")
@click.option("--json", "as_json", is_flag=True, help="Print the original events, one JSON object per line.")
@click.option("--from-beginning", is_flag=True, help="Include events that are already in the topic.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only events of this type, such as PER; repeatable.",
)
@click.option(
    "--text",
    default="",
    help="Only events whose mention or counted form contains this, in upper or lower case.",
)
@click.option("--max", "limit", type=click.IntRange(min=1), metavar="N", help="Stop after N events shown.")
@with_settings
def tail(
    settings: Settings,
    as_json: bool,
    from_beginning: bool,
    types: tuple[str, ...],
    text: str,
    limit: int | None,
) -> None:
    """Show entity events as they arrive, one per line, until --max or Ctrl-C.

    A line has the type, the mention (and the form it is counted as), the confidence, the weight of each
    modality and the post id.
    """
    with closing(follow(settings.kafka, from_beginning, _pipe_closed)) as events:
        shown = (value for value in events if chosen(value, types, text))
        for value in islice(shown, limit):
            click.echo(value.decode("utf-8", "replace") if as_json else describe(value))
