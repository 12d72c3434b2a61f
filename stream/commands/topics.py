"""`trimod topics`: the four topics, their partitions and what they hold; makes the missing ones."""

import click
from rich.console import Console
from rich.table import Table

from stream.cli import with_settings
from stream.settings import Settings
from stream.topics import describe_topics, ensure_topics, topic_names


@click.command(epilog="Example: trimod topics --create --set kafka.partitions=16")
@click.option("--create", is_flag=True, help="Make the topics that are missing, as the settings say.")
@with_settings
def topics(settings: Settings, create: bool) -> None:
    """List the posts, entities, receipts and dead-letter topics with their partitions and records."""
    created = ensure_topics(settings.kafka) if create else []
    found = {info.name: info for info in describe_topics(settings.kafka)}
    table = Table("topic", "partitions", "records", "state", box=None)
    for name in topic_names(settings.kafka):
        if info := found.get(name):
            state = "created now" if name in created else ""
            table.add_row(name, str(info.partitions), str(info.records), state)
        else:
            table.add_row(name, "-", "-", "missing: `trimod topics --create` makes it")
    Console().print(table)
