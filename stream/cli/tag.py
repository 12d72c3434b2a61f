"""`trimod tag`: the worker's tagger on a file or a pipe, with no broker and no Redis."""

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

from models.core.post_json import to_post
from stream.cli.options import with_settings
from stream.cli.terminal import plural
from stream.config.images import Fetch
from stream.config.loading import with_flags
from stream.config.settings import Settings
from stream.errors import BadPost
from stream.images.local_files import check_root
from stream.messages.posts import Post, decode_post
from stream.sources.jsonl import Line, prepare, read_lines

if TYPE_CHECKING:
    from models.inference.tagger import Prepared, Tagger
    from models.vision.decoding import Picture
    from stream.images.loader import Fetched
    from stream.images.url_fetcher import ImageUrls

FILE_BATCH = 32
"""Lines of a file that are tagged together; those of a pipe are tagged as they come."""


@click.command(epilog="Example: echo 'Auston Matthews is back in #Toronto' | trimod tag -")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Folder of the checkpoint (worker.checkpoint)."
)
@click.option(
    "--images-root",
    type=click.Path(path_type=Path),
    help="Folder that image paths start from (worker.images_root).",
)
@click.option("--device", help="auto, cpu, cuda or cuda:N (worker.device).")
@click.option(
    "--weights",
    is_flag=True,
    help="Say what each modality weighs at each token, too (HSN: its gate); CWI and HamLearning weigh none.",
)
@with_settings
def tag(settings: Settings, file: BinaryIO, weights: bool, **flags: Any) -> None:
    """Tag each line of FILE, a post as JSON or plain text; one JSON object a line comes out.

    A line that is no post is named on stderr and skipped; the exit status is then 1. An image that cannot be
    had is named there too, and its post tagged without.
    """
    worker = with_flags(settings, "worker", flags).worker
    check_root(worker.images_root)
    if sys.stderr.isatty():
        click.echo("loading model ...", err=True)  # it takes seconds, PyTorch's import most of them

    from models.hashtags.lexicon_storage import no_collection

    with no_collection():  # a quarter of the time that the imports take
        from models.inference.tagger import Tagger

        tagger = Tagger.load(
            worker.checkpoint, worker.device, worker.threads, worker.image_cache, images_lazily=True
        )
        gc.freeze()  # a million objects that live until the end: else the exit takes two seconds to look through them
    lines, bad = read_lines(file), 0
    size = FILE_BATCH if file.seekable() else 1
    with _fetcher(settings.fetch) as fetch:
        while batch := list(islice(lines, size)):
            posts = dict(_posts(batch))
            fetched = fetch(list(posts.values()))
            bad += len(batch) - len(posts)
            pictures = [
                _pictures(number, post, worker.images_root, found)
                for (number, post), found in zip(posts.items(), fetched, strict=True)
            ]
            for line in _tagged(tagger, list(posts.values()), pictures, weights):
                sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
    if bad:
        raise click.ClickException(plural(bad, "invalid line"))


def _posts(lines: list[Line]) -> Iterator[tuple[int, Post]]:
    """Line number and post of each line that is one."""
    for line in lines:
        try:
            json = line.data[:1] == b"{"
            yield line.number, decode_post(prepare(line, None, False).value) if json else _plain(line)
        except BadPost as error:
            click.echo(f"line {line.number}: {error}", err=True)


def _plain(line: Line) -> Post:
    try:
        text = line.data.decode()
    except UnicodeDecodeError as error:
        raise BadPost(f"is no UTF-8: {error.reason} at byte {error.start}") from None
    return to_post({"id": f"line {line.number}", "text": text})


@contextmanager
def _fetcher(settings: Fetch) -> "Iterator[Callable[[Sequence[Post]], list[Fetched]]]":
    """What each post's URLs lead to: by one fetcher, with its cache and what it knows of hosts, for the whole run. It
    is made for the first URL, as most inputs have none."""
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


def _pictures(number: int, post: Post, root: Path | None, fetched: "Fetched") -> "list[Picture]":
    from stream.images.loader import fetch_pictures
    from stream.images.outcomes import USED

    pictures, outcomes = fetch_pictures(post, root, fetched)
    for index, outcome in enumerate(outcomes):
        if outcome != USED:
            reason = f"images[{index}] is {outcome.outcome} ({outcome.reason}): tagged without"
            click.echo(f"line {number}: {reason}", err=True)
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
    """Each post's tokens with what the modalities weigh there."""
    return [
        {
            "tokens": [
                {"text": token.text, "start": token.start, "end": token.end, "weights": shares}
                for token, shares in zip(post.found, weighed, strict=True)
            ]
        }
        for post, weighed in zip(prepared, tagger.weigh(prepared), strict=True)
    ]
