"""`trimod topics` and `trimod lag`: the topics, their partitions, and the consumer lag."""

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream.cli.options import with_settings
from stream.cli.terminal import plural
from stream.config.settings import Settings
from stream.kafka.lag import Lag, read_lag
from stream.kafka.topic_layout import grow_topics, mismatches
from stream.kafka.topics import describe_topics, ensure_topics, topic_names


@click.command(
    epilog="""
\b
Examples:
  trimod topics --create --set kafka.partitions=16
  trimod topics --grow --set kafka.partitions=32
"""
)
@click.option(
    "--create",
    is_flag=True,
    help="Create missing topics, as set in kafka.partitions and kafka.replication_factor.",
)
@click.option("--grow", is_flag=True, help="Add partitions to existing topics, up to kafka.partitions.")
@with_settings
def topics(settings: Settings, create: bool, grow: bool) -> None:
    """List the posts, entities, receipts and dead-letter topics with their partitions and records.

    --create leaves existing topics as they are, and reports what differs from the settings. --grow adds
    partitions; Kafka cannot remove them. Keys then move: later posts with a key may be in another partition
    than earlier ones, so their order across the change is not kept. Running workers read the new partitions
    after at most 10 seconds, from the beginning.
    """
    created = ensure_topics(settings.kafka) if create else []
    grown = grow_topics(settings.kafka) if grow else []
    for line in mismatches(settings.kafka) if create or grow else ():
        click.echo(f"warning: {line}", err=True)
    changed = dict.fromkeys(created, "created now") | {
        each.name: f"{each.before} before, now {each.after}" for each in grown
    }
    found = {info.name: info for info in describe_topics(settings.kafka)}
    table = Table("topic", "partitions", "records", "state", box=None)
    for name in topic_names(settings.kafka):
        if info := found.get(name):
            table.add_row(name, str(info.partitions), str(info.records), changed.get(name, ""))
        else:
            table.add_row(name, "-", "-", "missing: run `trimod topics --create`")
    Console().print(table)
    if grown:
        click.echo(
            "Keys have moved: posts with one key may be in another partition than before. Running workers read the new "
            "partitions after at most 10 seconds; restart `trimod tail`."
        )


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
