"""Silver data: posts tagged by a checkpoint, as a CoNLL file for training (read by training/data/conll.py).

Next to the CoNLL file, `FILE.jsonl` contains every post's tags and confidences. It is written post by post, so an
interrupted run continues after its last complete line. Another threshold does not require tagging again, and the labels
of two checkpoints can be compared. Posts are unchanged, except for characters that UTF-8 cannot encode.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from rich.progress import Progress

from models.core.errors import BadPost, BrokenImage, UnreadableFile
from models.core.labels import Span, spans, tags_of
from models.core.post import Mention, Post
from models.inference.tagger import Prepared, Tagger
from models.posts.image_fields import image_bytes
from models.posts.lines import Line
from models.posts.post_files import read_posts
from models.posts.post_json import Post as JsonPost
from models.posts.post_json import read_fields, to_post
from models.vision.decoding import Picture, decode_image
from models.vision.file_names import existing
from training.engine.run_state import alone
from training.errors import DataError
from training.evaluation.scoring import Score, score

BATCH = 32
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledLine:
    """A post with its tags: token spans (start, end, type), each with its confidence."""

    id: str
    image_id: str
    """File name of its first picture without the suffix, like `IMGID:` in data sets; empty if it has no picture."""
    tokens: list[str]
    spans: list[tuple[int, int, str]]
    confidences: list[float]

    @property
    def entities(self) -> list[Span]:
        return [Span(*each) for each in self.spans]


@dataclass(frozen=True)
class LabellingResult:
    """The posts, with counts of those left out: too uncertain, or with tokens that CoNLL cannot represent.

    With drop="mention", mentions are counted as too uncertain instead.
    """

    posts: int
    mentions: int
    unsure: int
    unwritable: int


def labels_file(out: Path) -> Path:
    """The file with the labels of CoNLL file `out`."""
    return out.with_name(f"{out.name}.jsonl")


def label(
    posts: Path, tagger: Tagger, out: Path, progress: Progress, images_root: Path | None = None
) -> list[LabelledLine]:
    """Tag the posts of file `posts` that are not tagged yet; models/posts/post_files.py reads it.

    Image paths are relative to `images_root`, by default the file's directory. An image that is missing or broken is
    logged, and its post is tagged without it. Raises DataError if `out` has labels of another checkpoint, or of other
    posts or images. Raises it for an invalid post too, before any is tagged, since the labels of a corrected file would
    be those of other posts.
    """
    if images_root is not None and not images_root.is_dir():
        raise DataError(f"--images-root: {images_root} is not a directory")
    lines = _lines(posts)
    read = [_post(posts, line) for line in lines]
    with alone(labels_file(out)):
        return _go_on(images_root, posts.parent, lines, read, tagger, out, progress)


def _go_on(
    images_root: Path | None,
    folder: Path,
    lines: Sequence[Line],
    posts: Sequence[JsonPost],
    tagger: Tagger,
    out: Path,
    progress: Progress,
) -> list[LabelledLine]:
    """The posts with their tags: those that are stored, and the others as they are tagged and stored now."""
    digest = hashlib.sha256(b"".join(line.data for line in lines)).hexdigest()
    header = {"checkpoint": tagger.version, "posts": digest}
    if images_root is not None:  # another folder's images give other labels
        header["images_root"] = str(images_root.resolve())
        folder = images_root
    stored = labels_file(out)
    done = _resumed(stored, header)
    if len(done) > len(posts):
        raise DataError(f"{stored} has more labels than there are posts: remove it, or choose another --out")
    task = progress.add_task("labelling", total=len(lines), completed=len(done))
    with stored.open("a", encoding="utf-8") as file:
        if not stored.stat().st_size:
            file.write(json.dumps(header) + "\n")
        left = iter(posts[len(done) :])
        while part := list(islice(left, BATCH)):
            found = _tagged(tagger, [(each, _pictures(folder, each)) for each in part])
            file.writelines(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in found)
            file.flush()
            done += found
            progress.advance(task, len(part))
    return done


def read_labels(path: Path) -> list[LabelledLine]:
    """The labels stored next to CoNLL file `path`."""
    return list(_stored(labels_file(path)))[1:]


def write_conll(
    labelled: Iterable[LabelledLine], out: Path, least: float, drop: Literal["post", "mention"]
) -> LabellingResult:
    """Write posts as CoNLL, overwriting `out`.

    least: minimum confidence of a mention; below it, its post is left out, or with drop="mention", it becomes O.
    """
    kept, mentions, unsure, unwritable = [], 0, 0, 0
    for each in labelled:
        sure = [s for s, chance in zip(each.entities, each.confidences, strict=True) if chance >= least]
        if drop == "post" and len(sure) < len(each.spans):
            unsure += 1
        elif not each.tokens or not all(map(_writable, each.tokens)):
            unwritable += 1
        else:
            mentions += len(sure)
            unsure += len(each.spans) - len(sure)
            kept.append(_conll(each, sure))
    partial = out.with_name(f"{out.name}.partial")
    partial.write_text("\n".join(kept), encoding="utf-8")
    partial.replace(out)
    return LabellingResult(len(kept), mentions, unsure, unwritable)


def agreement(one: Sequence[LabelledLine], other: Sequence[LabelledLine]) -> dict[str, Score]:
    """F1 between the two sets of labels (symmetric). Raises DataError if the posts differ."""
    if [(each.id, each.tokens) for each in one] != [(each.id, each.tokens) for each in other]:
        raise DataError("the two label files belong to different posts")
    return score([each.entities for each in one], [each.entities for each in other])


def _lines(posts: Path) -> list[Line]:
    try:
        with posts.open("rb") as stream:
            return list(read_posts(stream, str(posts)))
    except OSError as error:
        raise DataError(f"cannot read {posts}: {error}") from None
    except UnreadableFile as error:
        raise DataError(str(error)) from None


def _resumed(stored: Path, header: dict[str, Any]) -> list[LabelledLine]:
    """The posts that are already labelled; an incomplete last line, from a killed run, is removed."""
    if not stored.exists():
        return []
    text = stored.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        stored.write_text(text, encoding="utf-8")
    if not text:
        return []
    first, *done = _stored(stored)
    if first != header:
        raise DataError(
            f"{stored} belongs to another checkpoint, or to other posts or images: remove it, or choose another --out"
        )
    return done


def _stored(path: Path) -> Iterator[Any]:
    """The header, then each labelled post."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        yield json.loads(lines[0])
        for line in lines[1:]:
            if line:
                yield LabelledLine(**json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"no labels in {path}: {error}") from None


def _post(posts: Path, line: Line) -> JsonPost:
    try:
        post = to_post(read_fields(line.data))
    except BadPost as error:
        raise DataError(f"{posts}:{line.number}: not a post: {error}") from None
    if any(image.url is not None for image in post.images):
        log.warning("%s:%d: images with a URL are not read", posts, line.number)
    return post


def _pictures(folder: Path, post: JsonPost) -> list[Picture]:
    pictures = []
    for image in post.images:
        if image.url is not None:
            continue
        try:
            given = (
                image_bytes(image.data or "")
                if image.path is None
                else existing(folder / image.path).read_bytes()
            )
            pictures.append(decode_image(given, image.alt))
        except (OSError, ValueError, BrokenImage) as error:
            where = folder / image.path if image.path else "data"
            log.warning("%s: post %s is labelled without an image: %s", where, post.id, error)
    return pictures


def _tagged(tagger: Tagger, posts: Sequence[tuple[JsonPost, list[Picture]]]) -> list[LabelledLine]:
    prepared = [tagger.prepare(Post(given.text, given.hashtags), pictures) for given, pictures in posts]
    return [
        _labelled(given, ready, mentions)
        for (given, _), ready, mentions in zip(posts, prepared, tagger.tag_prepared(prepared), strict=True)
    ]


def _labelled(given: JsonPost, prepared: Prepared, mentions: Sequence[Mention]) -> LabelledLine:
    starts = {token.start: index for index, token in enumerate(prepared.found)}
    ends = {token.end: index + 1 for index, token in enumerate(prepared.found)}
    paths = [image.path for image in given.images if image.path is not None]
    return LabelledLine(
        given.id,
        Path(paths[0]).stem if paths else "",
        [
            token.seen for token in prepared.found
        ],  # CoNLL has one token per line, so a line end cannot be a token
        [(starts[mention.start], ends[mention.end], mention.type) for mention in mentions],
        [mention.confidence for mention in mentions],
    )


def _writable(token: str) -> bool:
    """Whether a reader gets the same token from a line that begins with it."""
    return (
        token == token.strip() != "" and "\t" not in token and not token.startswith(("IMGID:", "-DOCSTART-"))
    )


def _conll(each: LabelledLine, entities: Sequence[Span]) -> str:
    tags = tags_of(entities, len(each.tokens))
    assert list(entities) == spans(tags)
    first = [f"IMGID:{each.image_id}"] if each.image_id else []
    rows = [f"{token}\t{tag}" for token, tag in zip(each.tokens, tags, strict=True)]
    return "\n".join([*first, *rows, ""])
