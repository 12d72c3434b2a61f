"""`trimod ingest`: posts from a file or a pipe onto the posts topic. The work is in stream/sources/ingest.py."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from models.core.errors import TrimodError
from stream.cli.options import with_settings
from stream.config.settings import Settings
from stream.kafka.topics import ensure_topics
from stream.sources.base import Sourced
from stream.sources.ingest import Report, ingest_lines
from stream.sources.jsonl import read_lines

SHOWN = 10
"""Problems that are named one by one."""


@click.command(epilog="Example: trimod ingest posts.jsonl --images-root pictures --rate 200")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Posts per second at most, evenly.")
@click.option(
    "--images-root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder below which image paths lead; pictures that are not there are counted.",
)
@click.option("--embed-images", is_flag=True, help="Send the pictures' bytes instead of their paths.")
@with_settings
def ingest(
    settings: Settings, file: Path, rate: float | None, images_root: Path | None, embed_images: bool
) -> None:
    """Send the posts of FILE, one JSON object per line, to the posts topic (- reads a pipe as it comes).

    A post is {"id", "text"} and maybe created_at, author, lang, source, hashtags, images; "image" is short
    for one image path. Lines that are no posts are sent too: the worker puts them aside with the reason
    (trimod dead list). Topics that do not exist are created.
    """
    if embed_images and images_root is None:
        raise click.UsageError("--embed-images needs --images-root, the folder that the paths lead into")
    with _opened(file) as (stream, size), _progress(size) as bar:
        ensure_topics(settings.kafka)
        task = bar.add_task("posts", total=size)

        def advance(sourced: Sourced) -> None:
            bar.update(task, advance=sourced.size, description=f"{sourced.cursor} lines")

        report = ingest_lines(read_lines(stream), settings.kafka, rate, images_root, embed_images, advance)
    _show(report)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.problems:
        raise TrimodError(f"{len(report.problems)} posts were not sent")


def _show(report: Report) -> None:
    for name, reason in report.problems[:SHOWN]:
        click.echo(f"not sent: {name}: {reason}", err=True)
    if len(report.problems) > SHOWN:
        click.echo(f"not sent: {len(report.problems) - SHOWN} more", err=True)
    if report.missing_images:
        click.echo(
            f"{report.missing_images} images are not below the images root; their posts were sent", err=True
        )
    click.echo(f"sent {report.sent} posts in {report.seconds:.1f} s ({report.rate:.0f}/s)")


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """The input and its size in bytes where it has one."""
    if str(file) == "-":
        yield sys.stdin.buffer, None
        return
    try:
        with file.open("rb") as stream:
            yield stream, file.stat().st_size if file.is_file() else None
    except OSError as error:
        raise TrimodError(f"cannot read {file}: {error.strerror}") from None


def _progress(size: int | None) -> Progress:
    console = Console(stderr=True)
    known = (BarColumn(), TaskProgressColumn(), DownloadColumn()) if size else ()
    return Progress(
        TextColumn("{task.description}"),
        *known,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
