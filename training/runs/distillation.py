"""Distillation: the teachers' averaged predictions for each token are targets for a student (Hinton et al. 2015).

A teacher is a checkpoint; several are an ensemble. Targets are the marginals of the teachers' CRFs. A student, which
has a CRF too, learns them by cross-entropy with its own marginals (models/layers/crf.py), in addition to the gold tags.
Posts without gold tags of this label scheme have the teachers' targets alone. They are shown in both of the data sets'
tokenizations, because the sets differ in what they tag as well as in how they tokenize. A teacher's predictions are
stored in a folder, since they take minutes and a run may be stopped and continued."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.progress import track
from safetensors.torch import load_file
from torch import Tensor

from models.checkpoints.components import Components, build
from models.checkpoints.format import load_checkpoint
from models.checkpoints.tensor_files import save_tensors
from models.core.batch import collate
from models.layers.lora import merge_adapters
from training.data.batching import encode, length_batches, rows_of
from training.data.datasets import Sample
from training.engine.precision import autocast
from training.errors import DataError

BATCH = 64
FINE = re.compile(r"\d+(?:[.,]\d+)+|\w+|[^\w\s]")
"""A token as in Twitter-2017 (matches 99.9 % of its tokens): a number, a run of letters, or any other single mark."""


@dataclass(frozen=True)
class Teacher:
    """A checkpoint, and the name of the data folder whose posts it teaches; empty: it teaches all posts."""

    path: Path
    folder: str = ""


@dataclass(frozen=True)
class TeacherSignal:
    """The teachers that a student learns from, in addition to its posts' tags.

    labels: the student's. share: weight of the teachers in the loss of a post with tags. store: folder in which the
    teachers' predictions are kept.
    """

    teachers: Sequence[Teacher]
    labels: Sequence[str]
    share: float
    device: torch.device
    store: Path

    def of(self, folders: Collection[str]) -> list[Path]:
        """The teachers of posts like those of `folders`. Raises DataError if there are none."""
        found = [each.path for each in self.teachers if not each.folder or each.folder in folders]
        if not found:
            raise DataError(f"--teacher: none was given for posts like those of {', '.join(sorted(folders))}")
        return found


def taught(
    tagged: Mapping[str, Sequence[Sample]], more: Sequence[Sample], signal: TeacherSignal
) -> list[Sample]:
    """All posts with the teachers' mean marginals: `tagged`, by data folder, and `more`, whose tags are not read.

    Posts of `more` have the teachers of the folders with the same tokenization. Raises DataError if a teacher has
    other labels, or if posts have no teacher.
    """
    found = []
    for name, samples in tagged.items():
        found += with_targets(samples, signal.of([name]), signal.share, signal)
    fine = {name for name, samples in tagged.items() if is_finely_cut(samples)}
    for posts, folders in zip(both_cuts(more), (tagged.keys() - fine, fine), strict=True):
        if posts:
            # If no folder has this tokenization, all teachers are equally suitable.
            found += with_targets(posts, signal.of(folders or tagged.keys()), 1.0, signal)
    return found


def both_cuts(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """The samples without their tags: the first, third, ... unchanged; the others tokenized as finely as Twitter-2017,
    and without URLs, as there."""
    fine = [replace(sample, tokens=_finely_cut(sample.tokens)) for sample in samples[1::2]]
    return [_untagged(sample) for sample in samples[::2]], [_untagged(sample) for sample in fine]


def is_finely_cut(samples: Sequence[Sample]) -> bool:
    """Whether FINE would split almost none of their tokens further."""
    whole = [FINE.fullmatch(token) is not None for sample in samples for token in sample.tokens]
    return sum(whole) > 0.98 * len(whole)


def _untagged(sample: Sample) -> Sample:
    return replace(sample, tags=["O"] * len(sample.tokens), unsaid=frozenset())


def _finely_cut(tokens: list[str]) -> list[str]:
    kept = (token for token in tokens if not token.startswith(("http://", "https://")))
    return [part for token in kept for part in FINE.findall(token)] or tokens


def with_targets(
    samples: Sequence[Sample], teachers: Sequence[Path], share: float, signal: TeacherSignal
) -> list[Sample]:
    """`samples` with the teachers' mean marginals over the signal's labels, with weight `share` in the loss."""
    total: list[Tensor] = []
    for path in teachers:
        found = _opinion(path, samples, signal)
        total = [a + b for a, b in zip(total, found, strict=True)] if total else found
    return [
        replace(sample, targets=each / len(teachers), teacher_share=share)
        for sample, each in zip(samples, total, strict=True)
    ]


def _opinion(path: Path, samples: Sequence[Sample], signal: TeacherSignal) -> list[Tensor]:
    """A teacher's marginals of each sample: those in the store, or computed and put there."""
    stored = load_checkpoint(path)
    pooled = [sample.pixels.pooled.sum().item() if sample.pixels else None for sample in samples]
    read = [(each.tokens, each.image_words, each.hashtags) for each in samples]
    asked = repr([stored.id, list(signal.labels), read, pooled])
    kept = signal.store / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.safetensors"
    if kept.exists():
        lengths = [len(sample.tokens) for sample in samples]
        return list(torch.split(load_file(kept)["marginals"].float(), lengths))
    parts = build(stored)
    if list(signal.labels) != parts.model.crf.labels:
        raise DataError(
            f"teacher {path}: its labels {', '.join(parts.model.crf.labels)} differ from this run's"
        )
    found = [each.half() for each in marginals(parts, samples, signal.device, f"teacher {path}")]
    signal.store.mkdir(parents=True, exist_ok=True)
    save_tensors({"marginals": torch.cat(found)}, kept)
    return [each.float() for each in found]


@torch.no_grad()
def marginals(parts: Components, samples: Sequence[Sample], device: torch.device, about: str) -> list[Tensor]:
    """P(label) of each token of each sample, float32 [n, labels] on the CPU."""
    model = parts.model.eval().to(device)
    merge_adapters(model)
    labels = model.crf.labels
    bare = (replace(sample, tags=["O"] * len(sample.tokens)) for sample in samples)
    examples = [encode(sample, parts.encoder, parts.segmenter.segment, labels) for sample in bare]
    found: list[Tensor] = [torch.empty(0)] * len(examples)
    groups = length_batches(range(len(examples)), BATCH, lambda index: rows_of(examples[index]))
    for group in track(groups, description=about):
        batch = collate([examples[i] for i in group], model.config.inputs.image_size).to(device)
        with autocast(model):
            emissions, _ = model(batch)
        rows = model.crf.log_marginals(emissions.float(), batch.mask).exp().cpu()
        for index, row in zip(group, rows, strict=True):
            known = row[: len(examples[index].words)]
            # Tokens beyond a window (none in the data sets used so far) are certainly O.
            rest = torch.eye(len(labels))[:1].expand(len(samples[index].tokens) - len(known), -1)
            found[index] = torch.cat([known, rest])
    return found
