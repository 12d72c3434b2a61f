"""Turns trained weights into a checkpoint for `Tagger.load` (the format is in models/checkpoints/format.py)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from models.checkpoints.components import Components, config_of, tensors_of
from models.checkpoints.format import add_golden, save_checkpoint
from models.checkpoints.golden import record
from models.inference.tagger import Tagger
from training.hashtags.notice import write_notice

VERSION = "0.3.0"
"""Version of the export procedure; a checkpoint's id identifies the training run."""


def export(
    directory: Path,
    parts: Components,
    weights: Mapping[str, Tensor],
    metrics: Mapping[str, Any],
    frozen: str,
    name: str = "",
    bits: int | None = None,
    kept: Sequence[str] = (),
) -> None:
    """Write the checkpoint of `parts` with the model's trained `weights`, called `name` (default: the model's).

    frozen: SHA-256 of the encoder's own weights, taken before training may have rounded them
    (models/checkpoints/components.py). bits, kept: as in `save_checkpoint`."""
    parts.model.load_state_dict(dict(weights), strict=False)
    config = {
        **config_of(parts),
        "text_encoder_sha256": frozen,
        "name": name or parts.name,
        "version": VERSION,
    }
    save_checkpoint(directory, config, metrics, tensors_of(parts), bits, kept)
    write_notice(directory, parts.segmenter.config.lexicon)
    add_golden(directory, record(Tagger.load(directory, "cpu")))
