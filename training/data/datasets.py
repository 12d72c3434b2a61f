"""Data sets as a model reads them: labelled posts with their image input.

A data folder contains train.txt and valid.txt (training/data/conll.py), and optionally captions.NAME.json and images/.
Noise in training input is added by training/data/augmentation.py.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from models.core.visual_context import NOTHING_SEEN, Pixels, VisualContext
from models.text.tokenizer import words_of
from training.data.conll import LabelledPost, read_conll
from training.data.image_ids import without_ending
from training.errors import DataError

log = logging.getLogger(__name__)

NO_IMAGES = "the posts have no image ids (expected a line IMGID:NAME before each post)"

Look = Callable[[Path, Sequence[str]], Mapping[str, VisualContext]]
"""Maps a data folder and image ids to the image input of each."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled post with its image input, ready for augmentation and encoding."""

    tokens: list[str]
    tags: list[str]
    image_words: list[str]
    hashtags: bool = True
    """Whether the hashtags' words are read."""
    other_image: bool = False
    """Whether the image input is another post's."""
    pixels: Pixels | None = None
    """Features of the image's pixels, if the model reads them."""
    unsaid: frozenset[str] = frozenset()
    """Types that were not labelled in this post: its O may hide them."""
    targets: Tensor | None = None
    """A teacher's P(label) of each token [n, labels]."""
    teacher_share: float = 0.0


def _read_captions(path: Path) -> dict[str, str]:
    """Image ids to captions. Raises DataError for an invalid file."""
    try:
        captions = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read captions {path}: {error}") from None
    if not isinstance(captions, dict) or not all(isinstance(text, str) for text in captions.values()):
        raise DataError(f"captions {path} must be a JSON object that maps image ids to captions")
    return captions


def captions_of(posts: Sequence[LabelledPost], path: Path) -> dict[str, str]:
    """Image ids to captions, from a file for `posts`; logs how many of their images lack a caption.

    An id that is the name of a file (`7.jpg`) also finds the caption of `7`. Raises DataError if the file is
    invalid, or has no caption for any of their images.
    """
    captions = _read_captions(path)
    named = {post.image_id for post in posts} - captions.keys()
    captions |= {name: captions[stem] for name in named if (stem := without_ending(name)) in captions}
    ids = {post.image_id for post in posts if post.image_id}
    if not ids:
        raise DataError(f"captions {path}: {NO_IMAGES}")
    if missing := ids - captions.keys():
        example = min(missing)
        if missing == ids:
            raise DataError(
                f"captions {path} has no caption for any of the posts' {len(ids)} images, such as {example!r}"
            )
        log.warning("%s: %d of %d images have no caption, such as %r", path, len(missing), len(ids), example)
    return captions


def samples(posts: Sequence[LabelledPost], captions: dict[str, str]) -> list[Sample]:
    """The posts with their captions' words (none where there is no caption)."""
    return [Sample(p.tokens, p.training_tags, words_of(captions.get(p.image_id, ""))) for p in posts]


def read_folder(folder: Path, split: str, visual: str, look: Look | None = None) -> list[Sample]:
    """The samples of `folder/SPLIT.txt` (or .conll) with their image input.

    visual: `none`; `captions:NAME`, the words of `folder/captions.NAME.json` (or of the file NAME in the folder); or
    `pixels`, what `look` returns for `folder/images/`. Raises DataError for anything else.
    """
    posts = read_conll(_labelled_file(folder, split))
    kind, _, name = visual.partition(":")
    if visual == "none":
        return samples(posts, {})
    if kind == "captions" and name:
        return samples(posts, captions_of(posts, captions_file(folder, name)))
    if visual == "pixels" and look is not None:
        ids = [post.image_id for post in posts if post.image_id]
        if not ids:
            raise DataError(f"{folder}, {split}: {NO_IMAGES}")
        seen = look(folder, ids)
        return [_looked_at(post, seen.get(post.image_id, NOTHING_SEEN)) for post in posts]
    raise DataError(f"invalid visual input {visual!r}: use none, captions:NAME or pixels")


def captions_file(folder: Path, name: str) -> Path:
    """The file of `captions:NAME`. Raises DataError if there is none."""
    short, given = folder / f"captions.{name}.json", folder / name
    if not (short.exists() or given.exists()):
        raise DataError(
            f"{folder} has no {short.name}: add it, or pass --visual none, pixels or another captions:NAME"
        )
    return short if short.exists() else given


def files_read(folders: Sequence[Path], splits: Sequence[str], visual: str) -> list[Path]:
    """The files that `read_folder` reads from each folder, except images. Raises DataError if one is missing."""
    kind, _, name = visual.partition(":")
    labelled = [_labelled_file(folder, split) for folder in folders for split in splits]
    return labelled + ([captions_file(folder, name) for folder in folders] if kind == "captions" else [])


def _looked_at(post: LabelledPost, seen: VisualContext) -> Sample:
    return Sample(post.tokens, post.training_tags, list(seen.words), pixels=seen.pixels)


def _labelled_file(folder: Path, split: str) -> Path:
    for name in (f"{split}.txt", f"{split}.conll"):
        if (folder / name).exists():
            return folder / name
    raise DataError(f"{folder} contains neither {split}.txt nor {split}.conll")


def further(samples: Sequence[Sample], names: Mapping[str, str], types: Collection[str]) -> list[Sample]:
    """The training samples of a further folder. names: its types to ours; types: all of our types.

    Types that are absent from the folder count as unlabelled.
    """
    renamed = [replace(sample, tags=[_renamed(tag, names) for tag in sample.tags]) for sample in samples]
    unsaid = frozenset(types) - types_of(renamed)
    return [replace(sample, unsaid=unsaid) for sample in renamed]


def types_of(found: Sequence[Sample]) -> set[str]:
    """The types of all entities."""
    return {tag[2:] for sample in found for tag in sample.tags if tag != "O"}


def _renamed(tag: str, names: Mapping[str, str]) -> str:
    return tag[:2] + names.get(tag[2:], tag[2:]) if tag != "O" else tag
