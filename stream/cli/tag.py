"""`trimod tag`: the worker's tagger on a file or a pipe, without a broker and Redis."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import orjson

from models.posts.lines import Line
from models.posts.post_files import read_posts
from models.posts.post_json import to_post
from stream.cli.options import with_settings
from stream.cli.terminal import input_name, plural
from stream.config.images import Fetch
from stream.config.loading import with_flags
from stream.config.settings import Settings
from stream.errors import BadPost
from stream.images.local_files import check_root
from stream.messages.posts import Post, decode_post

if TYPE_CHECKING:
    from models.inference.tagger import Prepared, Tagger
    from models.vision.decoding import Picture
    from stream.images.loader import Fetched
    from stream.images.url_fetcher import ImageUrls

FILE_BATCH = 32
"""Posts of a file that are tagged together; those of a pipe are tagged as they come."""


@click.command(epilog="Example: echo 'Auston Matthews is back in #Toronto' | trimod tag -")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Directory of the checkpoint (worker.checkpoint)."
)
@click.option(
    "--images-root",
    type=click.Path(path_type=Path),
    help="Directory that image paths are relative to (worker.images_root).",
)
@click.option("--device", help="auto, cpu, cuda or cuda:N (worker.device).")
@click.option(
    "--handles",
    type=click.Choice(["tag", "skip"]),
    help="Whether a handle such as @nasa may be a mention (worker.handles).",
)
@click.option(
    "--weights",
    is_flag=True,
    help="Also print the weight of each modality at each token (HSN: its gate). CWI and HamLearning have none.",
)
@with_settings
def tag(settings: Settings, file: BinaryIO, weights: bool, **flags: Any) -> None:
    """Tag the posts of FILE and print one JSON object per post.

    FILE has one post per line, as a JSON object or as plain text, or any other format that trimod ingest reads.
    Invalid posts are reported on stderr and skipped; the exit status is then 1. Images that cannot be used are
    reported there too, and their posts are tagged without them.
    """
    worker = with_flags(settings, "worker", flags).worker
    lines = read_posts(file, input_name(getattr(file, "name", "-")), plain_text=True)
    check_root(worker.images_root)
    if sys.stderr.isatty():
        click.echo("loading model ...", err=True)  # it takes seconds, most of them for importing PyTorch

    from models.hashtags.lexicon_storage import no_collection

    with no_collection():  # saves a quarter of the time for imports
        from models.inference.tagger import Tagger

        tagger = Tagger.load(
            worker.checkpoint,
            worker.device,
            worker.threads,
            worker.image_cache,
            images_lazily=True,
            handles=worker.handles,
        )
        gc.freeze()  # a million objects that live until the end; otherwise, collecting them delays the exit by 2 s
    bad = 0
    size = FILE_BATCH if file.seekable() else 1
    with _fetcher(settings.fetch) as fetch:
        while batch := list(islice(lines, size)):
            posts = dict(_posts(batch))
            fetched = fetch(list(posts.values()))
            bad += len(batch) - len(posts)
            pictures = [
                _pictures(name, post, worker.images_root, found)
                for (name, post), found in zip(posts.items(), fetched, strict=True)
            ]
            for line in _tagged(tagger, list(posts.values()), pictures, weights):
                sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
    if bad:
        raise click.ClickException(plural(bad, "invalid post"))


def _posts(lines: list[Line]) -> Iterator[tuple[str, Post]]:
    """Each valid post with the name of its line."""
    for line in lines:
        try:
            yield (
                line.name,
                _plain(line) if line.unit == "line" and line.data[:1] != b"{" else decode_post(line.data),
            )
        except BadPost as error:
            click.echo(f"{line.name}: {error}", err=True)


def _plain(line: Line) -> Post:
    try:
        text = line.data.decode()
    except UnicodeDecodeError as error:
        raise BadPost(f"invalid UTF-8 at byte {error.start}") from None
    return to_post({"id": line.name, "text": text})


@contextmanager
def _fetcher(settings: Fetch) -> "Iterator[Callable[[Sequence[Post]], list[Fetched]]]":
    """A function that fetches the images of posts by URL.

    One fetcher, with its cache and its knowledge of hosts, serves the whole run. It is created for the first URL, since
    most inputs have none."""
    urls: ImageUrls | None = None
    with asyncio.Runner() as runner, ThreadPoolExecutor(1) as pool:

        async def fetch_all(posts: Sequence[Post]) -> "list[Fetched]":
            nonlocal urls
            if urls is None:
                from stream.images.url_fetcher import ImageUrls

                urls = ImageUrls(settings)
            return await asyncio.gather(*(urls.fetch(post.images, pool) for post in posts))

        def fetch(posts: Sequence[Post]) -> "list[Fetched]":
            if any(image.url is not None for post in posts for image in post.images):
                return runner.run(fetch_all(posts))
            return [{} for _ in posts]

        try:
            yield fetch
        finally:
            if urls is not None:
                runner.run(urls.close())


def _pictures(name: str, post: Post, root: Path | None, fetched: "Fetched") -> "list[Picture]":
    from stream.images.loader import fetch_pictures
    from stream.images.outcomes import USED

    pictures, outcomes = fetch_pictures(post, root, fetched)
    for index, outcome in enumerate(outcomes):
        if outcome != USED:
            reason = f"images[{index}] is {outcome.outcome} ({outcome.reason}): tagged without"
            click.echo(f"{name}: {reason}", err=True)
    return pictures


def _tagged(
    tagger: "Tagger", posts: list[Post], pictures: "list[list[Picture]]", weights: bool
) -> Iterator[bytes]:
    from models.core.post import Post as PostToTag

    prepared = [
        tagger.prepare(PostToTag(post.text, post.hashtags), found)
        for post, found in zip(posts, pictures, strict=True)
    ]
    tokens = _weighed(tagger, prepared) if weights else [{} for _ in posts]
    for post, mentions, more in zip(posts, tagger.tag_prepared(prepared), tokens, strict=True):
        found = [{name: getattr(mention, name) for name in mention.__slots__} for mention in mentions]
        yield orjson.dumps({"id": post.id, "text": post.text, "mentions": found, **more})


def _weighed(tagger: "Tagger", prepared: "list[Prepared]") -> list[dict[str, Any]]:
    """Each post's tokens with the weights of the modalities there."""
    return [
        {
            "tokens": [
                {"text": token.text, "start": token.start, "end": token.end, "weights": shares}
                for token, shares in zip(post.found, weighed, strict=True)
            ]
        }
        for post, weighed in zip(prepared, tagger.weigh(prepared), strict=True)
    ]
