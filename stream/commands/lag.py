"""`trimod lag`: how many posts wait, per partition. The reading is in stream/lag.py."""

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream.cli import with_settings
from stream.lag import Lag, read_lag
from stream.settings import Settings


@click.command(epilog="Example: trimod lag --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings
def lag(settings: Settings, as_json: bool) -> None:
    """Show how far the workers are behind: end, committed offset and lag of each partition, and who has it.

    Committed is what is tagged, published and counted. Add workers while the lag grows, up to one per
    partition.
    """
    found = read_lag(settings.kafka)
    if as_json:
        click.echo(orjson.dumps(found.as_json()).decode())
    else:
        Console().print(_table(found))
        click.echo(
            f"{found.total} posts wait; group {found.group}: {found.members} workers, {found.state.lower()}"
        )


def _table(found: Lag) -> Table:
    table = Table("partition", "end", "committed", "lag", "worker")
    for column in table.columns[:4]:
        column.justify = "right"
    for row in found.partitions:
        committed = "-" if row.committed is None else str(row.committed)
        table.add_row(str(row.partition), str(row.end), committed, str(row.lag), row.member or "-")
    return table
