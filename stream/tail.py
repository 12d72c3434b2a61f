"""Entity events as they come: a live reader of the entities topic and one readable line per event."""

from collections.abc import Callable, Generator

import click
from pydantic import ValidationError

from stream.contracts import EntityEvent
from stream.reading import open_topic
from stream.settings import Kafka

COLOURS = {"PER": "yellow", "LOC": "green", "ORG": "blue", "MISC": "magenta"}


def follow(
    kafka: Kafka, from_beginning: bool, limit: int | None, unread: Callable[[], bool] = lambda: False
) -> Generator[bytes, None, None]:
    """The bytes of each event, from now on or from the first that is kept, as they come.

    Ends after `limit` events, or soon after `unread` says that nobody reads them any more.
    """
    left = limit
    with open_topic(kafka, kafka.entities_topic) as reader:
        if not from_beginning:
            reader.seek(reader.ends())
        while not unread():
            for record in reader.poll(0.5):
                yield record.value or b""
                if left is not None:
                    left -= 1
                    if left == 0:
                        return


def describe(value: bytes) -> str:
    """One coloured line: type, mention, confidence, what weighed how much, post. Foreign records say so."""
    try:
        event = EntityEvent.model_validate_json(value)
    except ValidationError:
        start = value[:200].decode("utf-8", "backslashreplace")
        return click.style(f"no entity event: {_visible(start)}", dim=True)
    weights = " ".join(f"{name} {weight:.0%}" for name, weight in event.weights.items())
    kind = click.style(f"{event.type:<4}", fg=COLOURS.get(event.type, "cyan"), bold=True)
    mention = click.style(_visible(event.text), bold=True)
    counted = f" ({_visible(event.canonical)})" if event.canonical != event.text else ""
    details = (
        f"{event.confidence:.2f}" + (f"  {weights}" if weights else "") + f"  post {_visible(event.post_id)}"
    )
    return f"{kind}  {mention}{counted}  {click.style(details, dim=True)}"


def _visible(text: str) -> str:
    """On one line, and without characters that would steer the terminal: the words are strangers'."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
