"""Distillation: what teachers think of each token, averaged, as targets for a student (Hinton et al. 2015).

A teacher is a checkpoint; several are an ensemble. Targets are marginals of the teachers' CRFs, so a student with a CRF
of its own learns from them by cross-entropy with its own marginals (models/crf.py), beside the gold tags. Posts without
gold tags of this label scheme have the teachers' word alone, and are shown in both of the ways that data sets cut posts
into tokens, since the sets differ in what they tag as they do in how they cut.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from models.adapters import merge_adapters
from models.batch import collate
from models.checkpoint import load_checkpoint
from models.parts import Parts, build
from training.conll import DataError
from training.data import Sample, by_length, encode
from training.precision import autocast

BATCH = 64
FINE = re.compile(r"\d+(?:[.,]\d+)+|\w+|[^\w\s]")
"""A token as Twitter-2017 cuts posts (99.9 % of its own): numbers, runs of letters, and every other mark alone."""


def untagged(samples: Sequence[Sample]) -> list[Sample]:
    """The samples without their tags, every second one cut as finely as Twitter-2017 and, as there, without URLs."""
    cut = [_finely_cut(each) if index % 2 else each.tokens for index, each in enumerate(samples)]
    return [
        replace(sample, tokens=tokens, tags=["O"] * len(tokens), unsaid=frozenset())
        for sample, tokens in zip(samples, cut, strict=True)
    ]


def _finely_cut(sample: Sample) -> list[str]:
    kept = (token for token in sample.tokens if not token.startswith(("http://", "https://")))
    return [part for token in kept for part in FINE.findall(token)] or sample.tokens


def with_targets(
    samples: Sequence[Sample],
    teachers: Sequence[Path],
    labels: Sequence[str],
    share: float,
    device: torch.device,
) -> list[Sample]:
    """`samples` with the teachers' mean marginals over `labels`, which weigh `share` in the loss.

    Raises DataError where a teacher has other labels.
    """
    total: list[Tensor] = []
    for path in teachers:
        parts = build(load_checkpoint(path))
        if list(labels) != parts.model.crf.labels:
            raise DataError(
                f"teacher {path} has the labels {', '.join(parts.model.crf.labels)}, not this run's"
            )
        found = marginals(parts, samples, device, f"teacher {path}")
        total = [a + b for a, b in zip(total, found, strict=True)] if total else found
    return [
        replace(sample, targets=each / len(teachers), teacher_share=share)
        for sample, each in zip(samples, total, strict=True)
    ]


@torch.no_grad()
def marginals(parts: Parts, samples: Sequence[Sample], device: torch.device, about: str) -> list[Tensor]:
    """P(label) of each token of each sample, float32 [n, labels] on the CPU."""
    model = parts.model.eval().to(device)
    merge_adapters(model)
    labels = model.crf.labels
    bare = (replace(sample, tags=["O"] * len(sample.tokens)) for sample in samples)
    examples = [encode(sample, parts.encoder, parts.segmenter.segment, labels) for sample in bare]
    found: list[Tensor] = [torch.empty(0)] * len(examples)
    for group in track(by_length(examples, BATCH), description=about):
        batch = collate([examples[i] for i in group], model.config.inputs.image_size).to(device)
        with autocast(model):
            emissions, _ = model(batch)
        rows = model.crf.log_marginals(emissions.float(), batch.mask).exp().cpu()
        for index, row in zip(group, rows, strict=True):
            known = row[: len(examples[index].words)]
            # Tokens past a window (no data set at hand has any) are left to be surely O.
            rest = torch.eye(len(labels))[:1].expand(len(samples[index].tokens) - len(known), -1)
            found[index] = torch.cat([known, rest])
    return found
