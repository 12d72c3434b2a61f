"""`trimod topics` and `trimod lag`: the topics, their partitions, and the consumer lag."""

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream.cli.options import with_settings
from stream.cli.terminal import plural
from stream.config.settings import Settings
from stream.kafka.lag import Lag, read_lag
from stream.kafka.topics import describe_topics, ensure_topics, topic_names


@click.command(epilog="Example: trimod topics --create --set kafka.partitions=16")
@click.option(
    "--create",
    is_flag=True,
    help="Create missing topics, as set in kafka.partitions and kafka.replication_factor.",
)
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
            table.add_row(name, "-", "-", "missing: run `trimod topics --create`")
    Console().print(table)


@click.command(epilog="Example: trimod lag --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_settings
def lag(settings: Settings, as_json: bool) -> None:
    """Show the consumer lag: end, committed offset, lag and worker of each partition.

    Committed posts are tagged, published and counted. If the lag grows, add workers, up to one per partition.
    """
    found = read_lag(settings.kafka)
    if as_json:
        click.echo(orjson.dumps(found.as_json()).decode())
    else:
        Console().print(_table(found))
        click.echo(
            f"{plural(found.total, 'post')} waiting; "
            f"group {found.group}: {plural(found.members, 'worker')}, {found.state.lower()}"
        )


def _table(found: Lag) -> Table:
    table = Table("partition", "end", "committed", "lag", "worker")
    for column in table.columns[:4]:
        column.justify = "right"
    for row in found.partitions:
        committed = "-" if row.committed is None else str(row.committed)
        table.add_row(str(row.partition), str(row.end), committed, str(row.lag), row.member or "-")
    return table
