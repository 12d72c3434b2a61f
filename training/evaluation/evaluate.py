"""Scores a checkpoint on a labelled file: on its tokens, or on raw text as a worker receives it.

Spans and types are compared exactly, in characters of the tokens joined by spaces (training/evaluation/scoring.py).
With `raw`, the joined text is tokenized again, so tokenizer errors count as the model's. Image input is the captions'
words, or a folder's real images through the serving path, or both.
"""

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from models.core.errors import BrokenImage
from models.core.labels import Span, spans
from models.core.post import Post
from models.core.visual_context import VisualContext
from models.inference.tagger import Prepared, Tagger
from models.text.tokenizer import Token, words_of
from models.vision.decoding import Picture, decode_image
from training.data.conll import LabelledPost
from training.data.image_features import image_file
from training.data.image_ids import ENDINGS
from training.errors import DataError
from training.evaluation.scoring import score

BATCH = 64
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageSource:
    """Where the posts' images come from: files in a folder named after the image ids, or random files of it."""

    folder: Path
    random_seed: int | None = None

    def pictures(self, posts: Sequence[LabelledPost]) -> Iterator[list[Picture]]:
        """The pictures of each post, in order; empty if its file is missing.

        Raises DataError if the folder has no images, or none of the posts' own images if these are needed.
        """
        files = sorted(path for path in self.folder.glob("*") if path.suffix.lower() in ENDINGS)
        if not files:
            raise DataError(f"no images in {self.folder}")
        if self.random_seed is None:
            wanted = [image_file(self.folder, post.image_id) for post in posts]
            self._check(wanted)
        else:
            chosen = random.Random(self.random_seed)
            wanted = [chosen.choice(files) for _ in posts]
        return map(_decoded, wanted)

    def _check(self, wanted: Sequence[Path]) -> None:
        """Raise DataError if all are missing; log how many are."""
        missing = [file for file in wanted if not file.is_file()]
        if len(missing) == len(wanted):
            raise DataError(f"{self.folder} has none of the posts' images, such as {missing[0].name}")
        if missing:
            log.warning(
                "%s: the images of %d of %d posts are missing, such as %s",
                self.folder, len(missing), len(wanted), missing[0].name,
            )  # fmt: skip


def evaluate(
    tagger: Tagger,
    posts: Sequence[LabelledPost],
    captions: Mapping[str, str],
    images: ImageSource | None,
    raw: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Scores in percent for `overall` and each type, overall `f1`, and the number of posts with image words."""
    task = progress.add_task("evaluating", total=len(posts))
    pictures = images.pictures(posts) if images else ([] for _ in posts)
    gold: list[list[Span]] = []
    predicted: list[list[Span]] = []
    with_image = 0
    for start in range(0, len(posts), BATCH):
        part = posts[start : start + BATCH]
        prepared = [_prepare(tagger, post, next(pictures), raw) for post in part]
        seen = [
            _with_caption(each, captions.get(post.image_id, ""))
            for each, post in zip(tagger.look(prepared), part, strict=True)
        ]
        with_image += sum(bool(each.words) for each in seen)
        for post, mentions in zip(part, tagger.tag_seen(prepared, seen), strict=True):
            gold.append(gold_spans(post))
            predicted.append([Span(m.start, m.end, m.type) for m in mentions])
        progress.update(task, advance=len(part))
    scores = score(gold, predicted)
    return {
        "f1": scores["overall"].f1,
        "posts": len(posts),
        "posts_with_image_words": with_image,
        "scores": {name: asdict(each) for name, each in scores.items()},
    }


def _decoded(path: Path) -> list[Picture]:
    """The picture in `path`; none if the file is missing or broken, as in a worker."""
    try:
        return [decode_image(path.read_bytes())] if path.is_file() else []
    except BrokenImage as error:
        log.warning("%s: %s", path, error)
        return []


def joined(tokens: Sequence[str]) -> tuple[str, list[Token]]:
    """The tokens joined by spaces, and the position of each."""
    found, position = [], 0
    for token in tokens:
        found.append(Token(token, position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), found


def gold_spans(post: LabelledPost) -> list[Span]:
    """The gold entities (read strictly), in characters of the joined tokens."""
    _, found = joined(post.tokens)
    return [Span(found[span.start].start, found[span.end - 1].end, span.type) for span in spans(post.tags)]


def _prepare(tagger: Tagger, post: LabelledPost, pictures: list[Picture], raw: bool) -> Prepared:
    text, found = joined(post.tokens)
    if raw:
        return tagger.prepare(Post(text), pictures)
    return tagger.prepare_tokens(text, found, pictures=pictures)


def _with_caption(seen: VisualContext, caption: str) -> VisualContext:
    return VisualContext((*words_of(caption), *seen.words), seen.pixels)
