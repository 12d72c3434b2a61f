"""What a run is trained on, and from where."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from models import DEFAULT_CHECKPOINT
from models.checkpoints.format import MANIFEST
from models.text.post_encoder import PostEncoder
from training.data.datasets import Sample, files_read
from training.data.long_posts import in_windows
from training.engine.trainer import ValidationSet
from training.provenance import data_hashes, sha256_of
from training.runs.distillation import Teacher

SPLITS = ("train", "valid")


@dataclass(frozen=True)
class Run:
    """What is trained on, and from where."""

    name: str
    """The preset's."""
    folders: tuple[Path, ...]
    """Data folders with a training and a validation file."""
    visual: str = "captions:blip2"
    """none, captions:NAME, or pixels (training/data/datasets.py)."""
    more: tuple[Path, ...] = ()
    """Further data folders, of which only the training file's text is read. A type of `folders` that one of these has
    not at all was not looked for there: an O may hide it."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Types of the further folders, and what `folders` call them."""
    segmenter: Path | None = None
    """A checkpoint, or a folder of `trimod train segmenter`; None: that of `start_from`, or the shipped one."""
    vectors: tuple[Path, ...] = ()
    """Word vectors for the model's word tables, in their order."""
    captioner: Path | None = None
    """A folder of `trimod train captioner`, or a checkpoint with one, to go into the checkpoint and to see pixels
    with; None: that of `start_from`, if it has one."""
    start_from: Path | None = None
    """A checkpoint whose weights, vocabularies, segmenter and captioner training begins with."""
    teachers: tuple[Teacher, ...] = ()
    """Whose mean opinion is learnt beside the tags; of the `more` folders, in their place."""
    teacher_share: float = 0.5
    """Weight of the teachers in the loss of a post with tags."""
    features: Path = Path("runs/features")
    """Folder in which features of pixels are kept between runs."""

    @property
    def captioner_folder(self) -> Path | None:
        """Where the captioner is, if there is one."""
        return self.captioner or self.start_from

    @property
    def segmenter_folder(self) -> Path:
        """Where the segmenter is."""
        return self.segmenter or self.start_from or DEFAULT_CHECKPOINT

    @property
    def files(self) -> list[Path]:
        """What is read of the data folders, but for images."""
        return files_read(self.folders, SPLITS, self.visual) + files_read(self.more, SPLITS[:1], "none")

    def identity(self) -> dict[str, Any]:
        """What makes a run in a folder this run and no other, as JSON."""
        return {
            "preset": self.name,
            "data": data_hashes(self.files),
            "visual": self.visual,
            **({"renamed": self.renamed} if self.renamed else {}),
            "vectors": [path.name for path in self.vectors],
            **({"vectors_sha256": [sha256_of(path) for path in self.vectors]} if self.vectors else {}),
            "segmenter": sha256_of(part_file(self.segmenter_folder, "segmenter")),
            "captioner": self.captioner and sha256_of(part_file(self.captioner, "captioner")),
            "started_from": self.start_from and sha256_of(self.start_from / MANIFEST),
            "teachers": [[each.folder, sha256_of(each.path / MANIFEST)] for each in self.teachers],
            "teacher_share": self.teacher_share if self.teachers else None,
        }


@dataclass(frozen=True)
class Posts:
    """What is trained on, and selected on."""

    by_folder: Mapping[str, list[Sample]]
    more: list[Sample]
    """The further folders'."""
    valid: list[ValidationSet]
    types: set[str]
    """Types of entities that are learnt."""

    @property
    def training(self) -> list[Sample]:
        """All that is trained on: one folder's posts after the other's."""
        return [*chain.from_iterable(self.by_folder.values()), *self.more]

    def in_windows(self, encoder: PostEncoder) -> "Posts":
        """Long training posts as several, each short enough for the encoder."""
        cut = {name: in_windows(found, encoder) for name, found in self.by_folder.items()}
        return replace(self, by_folder=cut, more=in_windows(self.more, encoder))


def part_file(folder: Path, part: str) -> Path:
    """What tells one segmenter or captioner from another: `folder` is a checkpoint, or of `trimod train PART`."""
    manifest = folder / MANIFEST
    return manifest if manifest.exists() else folder / f"{part}.safetensors"
