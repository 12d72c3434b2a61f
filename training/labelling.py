"""Silver data: posts tagged by a checkpoint, as a CoNLL file that training/data/conll.py reads and anything can train
on.

Beside the CoNLL file stands `FILE.jsonl` with every post's tags and confidences, written as they come: an interrupted
run goes on behind its last whole line, another threshold costs no tagging, and two checkpoints' labels are compared by
it. Nothing of the posts is changed but what UTF-8 cannot hold.
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

from models.core.errors import BadPost, BrokenImage
from models.core.labels import Span, spans, tags_of
from models.core.post import Mention, Post
from models.core.post_json import Post as JsonPost
from models.core.post_json import expand_image, read_fields, to_post
from models.inference.tagger import Prepared, Tagger
from models.vision.decoding import Picture, decode_image
from models.vision.file_names import existing
from training.engine.run_state import alone
from training.errors import DataError
from training.evaluation.scoring import Score, score

BATCH = 32
FIELDS = ("id", "text", "hashtags", "images")
"""Of a post, what is read: a time that no worker would take costs no label."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledLine:
    """A post with its tags: token spans (start, end, type), each with its confidence."""

    id: str
    image_id: str
    """Name of its first picture's file without the ending, as data sets' `IMGID:`; empty without one."""
    tokens: list[str]
    spans: list[tuple[int, int, str]]
    confidences: list[float]

    @property
    def entities(self) -> list[Span]:
        return [Span(*each) for each in self.spans]


@dataclass(frozen=True)
class LabellingResult:
    """What became of the posts: left out as too unsure, or as no CoNLL file can hold their tokens.

    With drop="mention" it is mentions that are unsure.
    """

    posts: int
    mentions: int
    unsure: int
    unwritable: int


def labels_file(out: Path) -> Path:
    """Where the labels of CoNLL file `out` are kept."""
    return out.with_name(f"{out.name}.jsonl")


def label(
    posts: Path, tagger: Tagger, out: Path, progress: Progress, images_root: Path | None = None
) -> list[LabelledLine]:
    """Tag what is not tagged yet of `posts`: JSON lines of `id`, `text` and, where there are any, `hashtags` and
    `image` or `images`.

    An image is a path from `images_root`, by default the posts' folder; one that is missing or broken is logged, and
    its post tagged without. Raises DataError for labels in `out` that are another checkpoint's or other posts', and for
    a line that is no post: before any is tagged, since labels of mended posts would be other posts'.
    """
    if images_root is not None and not images_root.is_dir():
        raise DataError(f"--images-root: {images_root} is not a directory")
    lines = _lines(posts)
    read = [_post(posts, number, line) for number, line in enumerate(lines, start=1)]
    with alone(labels_file(out)):
        return _go_on(images_root, posts.parent, lines, read, tagger, out, progress)


def _go_on(
    images_root: Path | None,
    folder: Path,
    lines: Sequence[str],
    posts: Sequence[JsonPost],
    tagger: Tagger,
    out: Path,
    progress: Progress,
) -> list[LabelledLine]:
    """The posts with their tags: those that are stored, and the others as they are tagged and stored now."""
    header = {"checkpoint": tagger.version, "posts": hashlib.sha256("".join(lines).encode()).hexdigest()}
    if images_root is not None:  # another folder's images give other labels
        header["images_root"] = str(images_root.resolve())
        folder = images_root
    stored = labels_file(out)
    done = _resumed(stored, header)
    if len(done) > len(posts):
        raise DataError(f"{stored} holds more labels than there are posts: remove it, or give another --out")
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
    """The labels beside CoNLL file `path`."""
    return list(_stored(labels_file(path)))[1:]


def write_conll(
    labelled: Iterable[LabelledLine], out: Path, least: float, drop: Literal["post", "mention"]
) -> LabellingResult:
    """Write posts as CoNLL, replacing what is in `out`.

    least: the confidence that a mention must have; else its post is left out, or with drop="mention" it becomes O.
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
    """F1 of one's labels against the other's: the same either way round. Raises DataError for other posts."""
    if [(each.id, each.tokens) for each in one] != [(each.id, each.tokens) for each in other]:
        raise DataError("the two label files are not of the same posts")
    return score([each.entities for each in one], [each.entities for each in other])


def _lines(posts: Path) -> list[str]:
    try:
        return [line for line in posts.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {posts}: {error}") from None


def _resumed(stored: Path, header: dict[str, Any]) -> list[LabelledLine]:
    """The posts that are labelled already; half a line at the end, of a run that was killed, is cut off."""
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
            f"{stored} is another checkpoint's, or of other posts or images: remove it, or give another --out"
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


def _post(posts: Path, number: int, line: str) -> JsonPost:
    try:
        fields = read_fields(_whole(line))
        expand_image(fields)
        post = to_post({name: fields[name] for name in FIELDS if name in fields})
    except (ValueError, BadPost) as error:
        raise DataError(
            f'{posts}:{number}: is no object with an "id", a "text" and, if at all, "hashtags" and an "image" or '
            f'"images": {error}'
        ) from None
    if any(image.path is None for image in post.images):
        log.warning("%s:%d: of its images, those without a path are not read", posts, number)
    return post


def _whole(line: str) -> bytes:
    """The line with a question mark for each half of a surrogate pair, which JSON may hold and UTF-8 may not."""
    return json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8", "replace")


def _pictures(folder: Path, post: JsonPost) -> list[Picture]:
    pictures = []
    for image in post.images:
        if image.path is None:
            continue
        try:
            pictures.append(decode_image(existing(folder / image.path).read_bytes(), image.alt))
        except (OSError, BrokenImage) as error:
            log.warning("%s: labelled without it: %s", folder / image.path, error)
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
        [token.text for token in prepared.found],
        [(starts[mention.start], ends[mention.end], mention.type) for mention in mentions],
        [mention.confidence for mention in mentions],
    )


def _writable(token: str) -> bool:
    """Whether a line that begins with the token is read as the token."""
    return (
        token == token.strip() != "" and "\t" not in token and not token.startswith(("IMGID:", "-DOCSTART-"))
    )


def _conll(each: LabelledLine, entities: Sequence[Span]) -> str:
    tags = tags_of(entities, len(each.tokens))
    assert list(entities) == spans(tags)
    first = [f"IMGID:{each.image_id}"] if each.image_id else []
    rows = [f"{token}\t{tag}" for token, tag in zip(each.tokens, tags, strict=True)]
    return "\n".join([*first, *rows, ""])
