"""`trimod ingest`: send posts from a file or a pipe to the posts topic (stream/sources/ingest.py)."""

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
from models.posts.post_files import read_posts
from stream.cli.options import with_settings
from stream.cli.terminal import input_name, plural
from stream.config.settings import Settings
from stream.kafka.topics import ensure_topics
from stream.sources.base import SourcePost
from stream.sources.ingest import Report, ingest_lines

SHOWN = 10
"""Problems that are reported one by one."""


@click.command(epilog="Example: trimod ingest posts.jsonl --images-root pictures --rate 200")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Send at most this many posts per second, evenly spaced.",
)
@click.option(
    "--images-root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory that image paths are relative to; missing images are reported.",
)
@click.option("--embed-images", is_flag=True, help="Send the bytes of images instead of their paths.")
@with_settings
def ingest(
    settings: Settings, file: Path, rate: float | None, images_root: Path | None, embed_images: bool
) -> None:
    """Send the posts of FILE to the posts topic. Use - to read a pipe live.

    FILE has one JSON object per line, a JSON array, or CSV with the columns id and text, and may be compressed
    (gzip, bzip2, xz, zstd). Other formats and damaged files are rejected before anything is sent; in a pipe,
    damage is reported where it is.

    A post has "id" and "text", and optionally created_at, author, lang, source, hashtags and images. "image"
    is short for one image: a path, a URL or an object. Invalid posts are sent too: the worker moves them to the
    dead-letter topic with the reason (trimod dead list). Missing topics are created.
    """
    if embed_images and images_root is None:
        raise click.UsageError(
            "--embed-images needs --images-root, the directory that image paths are relative to"
        )
    with _opened(file) as (stream, size), _progress(size) as bar:
        task = bar.add_task("checking", total=size)

        def position() -> int | None:
            return stream.tell() if size else None

        posts = read_posts(
            stream, input_name(str(file)), checking=lambda: bar.update(task, completed=position())
        )
        ensure_topics(settings.kafka)

        def advance(sourced: SourcePost) -> None:
            bar.update(task, completed=position(), description=f"{sourced.cursor} posts")

        report = ingest_lines(posts, settings.kafka, rate, images_root, embed_images, advance)
    _show(report)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.damage:
        raise TrimodError(report.damage)
    if report.problems:
        raise TrimodError(f"{plural(len(report.problems), 'post')} not sent")


def _show(report: Report) -> None:
    for name, reason in report.problems[:SHOWN]:
        click.echo(f"not sent: {name}: {reason}", err=True)
    if len(report.problems) > SHOWN:
        click.echo(f"not sent: {len(report.problems) - SHOWN} more", err=True)
    if report.missing_images:
        click.echo(
            f"{plural(report.missing_images, 'image')} not found below --images-root; the posts were sent anyway",
            err=True,
        )
    click.echo(f"sent {plural(report.sent, 'post')} in {report.seconds:.1f} s ({report.rate:.0f}/s)")


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """The input and its size in bytes, if it has one."""
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
