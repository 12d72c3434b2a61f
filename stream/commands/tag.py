"""`trimod tag`: the worker's tagger on a file or a pipe, with no broker and no Redis."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import orjson

from models import DEFAULT_CHECKPOINT
from stream.contracts import Post, decode_post
from stream.errors import BadPost
from stream.ingest import Line, prepare, read_lines

if TYPE_CHECKING:
    from models.tagger import Tagger

FILE_BATCH = 32
"""Lines of a file that are tagged together; those of a pipe are tagged as they come."""


@click.command(epilog="Example: echo 'Auston Matthews is back in #Toronto' | trimod tag -")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    default=DEFAULT_CHECKPOINT,
    help="Folder of the model; the shipped one by default.",
)
@click.option(
    "--images-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder below which image paths lead.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def tag(file: BinaryIO, checkpoint: Path, images_root: Path | None, device: str) -> None:
    """Tag each line of FILE, a post as JSON or plain text; one JSON object a line comes out.

    A line that is no post is named on stderr and skipped; the exit status is then 1.
    """
    from models.tagger import Tagger

    tagger = Tagger.load(checkpoint, device)
    lines, bad = read_lines(file), 0
    size = FILE_BATCH if file.seekable() else 1
    while batch := list(islice(lines, size)):
        posts = list(_posts(batch))
        bad += len(batch) - len(posts)
        for line in _tagged(tagger, posts, images_root):
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    if bad:
        raise click.ClickException(f"{bad} lines are no posts")


def _posts(lines: list[Line]) -> Iterator[Post]:
    for line in lines:
        try:
            yield decode_post(prepare(line, None, False).value) if line.data[:1] == b"{" else _plain(line)
        except BadPost as error:
            click.echo(f"line {line.number}: {error}", err=True)


def _plain(line: Line) -> Post:
    try:
        text = line.data.decode()
    except UnicodeDecodeError as error:
        raise BadPost(f"is no UTF-8: {error.reason} at byte {error.start}") from None
    return decode_post(orjson.dumps({"id": f"line {line.number}", "text": text}))


def _tagged(tagger: "Tagger", posts: list[Post], images_root: Path | None) -> Iterator[bytes]:
    from models.post import Post as PostToTag
    from stream.fetch import fetch_pictures

    prepared = [
        tagger.prepare(PostToTag(post.text, post.hashtags), fetch_pictures(post, images_root)[0])
        for post in posts
    ]
    for post, mentions in zip(posts, tagger.tag_prepared(prepared), strict=True):
        found = [
            {name: getattr(mention, name) for name in mention.__slots__}
            | {"canonical": tagger.canonical(mention.text)}
            for mention in mentions
        ]
        yield orjson.dumps({"id": post.id, "text": post.text, "mentions": found})
