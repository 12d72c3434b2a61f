"""`trimod tail`: entity events as they arrive, one readable line each (the reader is stream/kafka/reader.py)."""

import select
import sys
from contextlib import closing

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


def _pipe_closed() -> bool:
    """Whether the reader of our pipe has gone: otherwise `tail | head` would wait for one more event."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


@click.command(epilog="Example: trimod tail --from-beginning --max 20")
@click.option("--json", "as_json", is_flag=True, help="Print the original events, one JSON object per line.")
@click.option("--from-beginning", is_flag=True, help="Include events that are already in the topic.")
@click.option("--max", "limit", type=click.IntRange(min=1), metavar="N", help="Stop after N events.")
@with_settings
def tail(settings: Settings, as_json: bool, from_beginning: bool, limit: int | None) -> None:
    """Show entity events as they arrive, one per line, until --max or Ctrl-C.

    A line has the type, the mention (and the form it is counted as), the confidence, the weight of each
    modality and the post id.
    """
    with closing(follow(settings.kafka, from_beginning, limit, _pipe_closed)) as events:
        for value in events:
            click.echo(value.decode("utf-8", "replace") if as_json else describe(value))
