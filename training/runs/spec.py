"""The data of a training run, and where it is."""

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
from training.pretraining.encoder_file import WEIGHTS
from training.provenance import data_hashes, sha256_of
from training.runs.distillation import Teacher

SPLITS = ("train", "valid")


@dataclass(frozen=True)
class Run:
    """The data of a run, its components and teachers."""

    name: str
    """The preset's."""
    folders: tuple[Path, ...]
    """Data folders with a training and a validation file."""
    visual: str = "captions:blip2"
    """none, captions:NAME, or pixels (training/data/datasets.py)."""
    more: tuple[Path, ...] = ()
    """Further data folders, of which only the training file's text is read. Types of `folders` that are absent from
    one of these count as unlabelled there: an O may hide them."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Types of the further folders, and their names in `folders`."""
    segmenter: Path | None = None
    """A checkpoint, or a folder of `trimod train segmenter`; None: the one of `start_from`, or the shipped one."""
    vectors: tuple[Path, ...] = ()
    """Word vectors for the model's word tables, in their order."""
    captioner: Path | None = None
    """A folder of `trimod train captioner`, or a checkpoint with one. It captions pixels and is stored in the
    checkpoint; None: the one of `start_from`, if any."""
    start_from: Path | None = None
    """The checkpoint of a warm start: training begins with its weights, vocabularies, segmenter and captioner."""
    start_encoder: Path | None = None
    """A folder of `trimod train mlm`, whose weights the model's text encoder starts with."""
    teachers: tuple[Teacher, ...] = ()
    """Teachers, whose mean prediction is learned in addition to the tags; for `more` folders, instead of them."""
    teacher_share: float = 0.5
    """Weight of the teachers in the loss of a post with tags."""
    features: Path = Path("runs/features")
    """Folder that keeps image features between runs."""

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
        """The files that are read from the data folders, except images."""
        return files_read(self.folders, SPLITS, self.visual) + files_read(self.more, SPLITS[:1], "none")

    def identity(self) -> dict[str, Any]:
        """What identifies this run in its folder, as JSON."""
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
            **({"started_encoder": sha256_of(self.start_encoder / WEIGHTS)} if self.start_encoder else {}),
            "teachers": [[each.folder, sha256_of(each.path / MANIFEST)] for each in self.teachers],
            "teacher_share": self.teacher_share if self.teachers else None,
        }


@dataclass(frozen=True)
class Posts:
    """The posts for training and for model selection."""

    by_folder: Mapping[str, list[Sample]]
    more: list[Sample]
    """The further folders'."""
    valid: list[ValidationSet]
    types: set[str]
    """Entity types that are learned."""

    @property
    def training(self) -> list[Sample]:
        """All training posts, folder by folder."""
        return [*chain.from_iterable(self.by_folder.values()), *self.more]

    def in_windows(self, encoder: PostEncoder) -> "Posts":
        """Splits long training posts, so that each is short enough for the encoder."""
        cut = {name: in_windows(found, encoder) for name, found in self.by_folder.items()}
        return replace(self, by_folder=cut, more=in_windows(self.more, encoder))


def part_file(folder: Path, part: str) -> Path:
    """The file that identifies a segmenter or captioner; `folder` is a checkpoint or from `trimod train PART`."""
    manifest = folder / MANIFEST
    return manifest if manifest.exists() else folder / f"{part}.safetensors"
