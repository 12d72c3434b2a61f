"""Flickr8k for the captioner: photographs with five captions each, a fixed split, and stored region features.

The split depends only on file names, because Flickr8k's own split is not available. Photographs are sorted by the
SHA-256 of their names: the first 1,000 are the test set, the next 1,000 the validation set, the rest the training set.
The CNN (models/vision/efficientnet.py) is frozen, so features are computed once and stored in a memory-mapped float16
array.
"""

import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from models.core.errors import BrokenImage
from models.vision.decoding import Picture, decode_image
from models.vision.efficientnet import FEATURES, REGIONS, ImageEncoder
from training.engine.progress import TrainingProgress
from training.errors import DataError

HELD_BACK = 1000
"""Number of photographs in the test set and in the validation set, each."""
_WORD = re.compile(r"'s\b|\w+(?='s\b)|\w+(?:[-']\w+)*")
_DECODED_AT_ONCE = 32

Grids = npt.NDArray[np.float16]
"""Region features, [photographs, 49, 1280]."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph: its file name, its row in the stored features, and its five human captions."""

    name: str
    row: int
    captions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Split:
    train: list[Photo]
    valid: list[Photo]
    test: list[Photo]


def caption_words(text: str) -> tuple[str, ...]:
    """The words of a caption as in the usual caption metrics: lower case, no punctuation, and `'s` is a word."""
    return tuple(_WORD.findall(text.lower()))


def read_photos(folder: Path) -> list[Photo]:
    """The photographs of `captions.csv` (columns image, caption), sorted by name. Raises DataError."""
    captions: dict[str, list[tuple[str, ...]]] = {}
    try:
        with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                captions.setdefault(row["image"], []).append(caption_words(row["caption"]))
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{folder / 'captions.csv'} is not a table with the columns image,caption: {error!r}"
        ) from None
    return [Photo(name, row, tuple(captions[name])) for row, name in enumerate(sorted(captions))]


def split(photos: Sequence[Photo], held_back: int = HELD_BACK) -> Split:
    """Test, validation and training set, `held_back` photographs in each of the first two."""
    if len(photos) <= 2 * held_back:
        raise DataError(f"{len(photos)} photographs are not enough to hold out {held_back} twice")
    order = sorted(photos, key=lambda photo: hashlib.sha256(photo.name.encode()).digest())
    return Split(order[2 * held_back :], order[held_back : 2 * held_back], order[:held_back])


def region_features(folder: Path, photos: Sequence[Photo], out: Path, console: Console) -> Grids:
    """The region features by `Photo.row`, read from `out/regions.npy`; if missing, they are computed and stored."""
    path, names = out / "regions.npy", [photo.name for photo in photos]
    if not path.exists():
        path.with_suffix(".json").write_text(json.dumps(names), encoding="utf-8")
        _compute(folder / "images", names, path, console)
    stored = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if stored != names:
        raise DataError(f"{path} contains features of other photographs: delete it, or choose another --out")
    grids: Grids = np.load(path, mmap_mode="r")
    return grids


def _compute(images: Path, names: Sequence[str], path: Path, console: Console) -> None:
    partial = path.with_suffix(".partial")
    grids = np.lib.format.open_memmap(
        partial, mode="w+", dtype=np.float16, shape=(len(names), REGIONS, FEATURES)
    )
    encoder = ImageEncoder(regions=True)
    with TrainingProgress(console=console) as progress:
        task = progress.add_task("region features", total=len(names))
        for start in range(0, len(names), _DECODED_AT_ONCE):
            pictures = [picture(images / name) for name in names[start : start + _DECODED_AT_ONCE]]
            for row, features in enumerate(encoder.encode(pictures), start):
                assert features.regions is not None
                grids[row] = features.regions.numpy()
            progress.advance(task, len(pictures))
    grids.flush()
    partial.replace(path)


def picture(path: Path) -> Picture:
    """A photograph's pixels. Raises DataError."""
    try:
        return decode_image(path.read_bytes())
    except (OSError, BrokenImage) as error:
        raise DataError(f"photograph {path} cannot be used: {error}") from None
