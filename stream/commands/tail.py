"""`trimod tail`: entity events as they come. The reading is in stream/tail.py."""

import select
import sys
from contextlib import closing

import click

from stream.cli import with_settings
from stream.settings import Settings
from stream.tail import describe, follow


@click.command(epilog="Example: trimod tail --from-beginning --max 20")
@click.option("--json", "as_json", is_flag=True, help="The events as they are, one JSON object per line.")
@click.option("--from-beginning", is_flag=True, help="Also the events that are there already.")
@click.option("--max", "limit", type=click.IntRange(min=1), help="End after so many events.")
@with_settings
def tail(settings: Settings, as_json: bool, from_beginning: bool, limit: int | None) -> None:
    """Show entity events as they come, one per line, until --max or Ctrl-C.

    A line has type, mention (and the form it is counted under), confidence, how much each modality weighed,
    post id.
    """
    with closing(follow(settings.kafka, from_beginning, limit, _pipe_closed)) as events:
        for value in events:
            click.echo(value.decode("utf-8", "replace") if as_json else describe(value))


def _pipe_closed() -> bool:
    """Whether nobody reads our pipe any more: else `tail | head` would wait for one more event."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
