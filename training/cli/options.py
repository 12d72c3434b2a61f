"""Options that commands of training share."""

import click


def type_pair(pair: str) -> tuple[str, str]:
    """Parses TYPE=TYPE of --rename."""
    there, equals, here = pair.partition("=")
    if not (there and equals and here):
        raise click.UsageError(f"--rename: expected TYPE=TYPE, got {pair!r}")
    return there, here
