"""Turns trained weights into a checkpoint that `Tagger.load` reads (models/checkpoint.py has the format)."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from models.checkpoint import save_checkpoint
from models.encode import Vocabulary
from models.segmenter import Segmenter
from models.tagger import frozen_sha256, parts_to_store
from models.trimod import TriMod

VERSION = "0.1.0"
"""Of the shipped kind of model; the checkpoint's id tells trainings apart."""


def export(
    directory: Path,
    model: TriMod,
    weights: Mapping[str, Tensor],
    words: Vocabulary,
    characters: Vocabulary,
    segmenter: Segmenter,
    metrics: Mapping[str, Any],
) -> None:
    """Write the checkpoint of `model` with `weights` (its state dict, as the training loop gives it)."""
    frozen = frozen_sha256(
        model
    )  # of its own: in an average of weights, rounding has moved what training had not
    model.load_state_dict(dict(weights))
    config = {
        "model": "trimod",
        "name": "trimod",
        "version": VERSION,
        "trimod": asdict(model.config),
        "text_encoder_sha256": frozen,
        "vocabulary": {"words": words.entries, "characters": characters.entries},
        "segmenter": asdict(segmenter.config),
    }
    save_checkpoint(directory, config, metrics, parts_to_store(model, segmenter))
