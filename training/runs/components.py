"""Components of a run that are trained separately: the segmenter and the captioner."""

import json
from pathlib import Path

from safetensors.torch import load_file

from models.checkpoints.components import build_captioner, build_segmenter
from models.checkpoints.format import MANIFEST, load_checkpoint
from models.hashtags.segmenter import Segmenter, SegmenterConfig
from models.vision.captioner import Captioner
from training.captioning.trainer import load_captioner
from training.errors import DataError
from training.runs.spec import Run
from training.runs.warm_start import WarmStart


def _captioner(run: Run, warm: WarmStart | None) -> Captioner | None:
    folder = run.captioner
    if folder is None:
        return warm.parts.captioner if warm else None
    if not (folder / MANIFEST).exists():
        return load_captioner(folder)
    captioner = build_captioner(load_checkpoint(folder))
    if captioner is None:
        raise DataError(f"checkpoint {folder} has no captioner")
    return captioner


def load_segmenter(folder: Path) -> Segmenter:
    """The segmenter in a checkpoint, or the one that `trimod train segmenter` wrote to `folder`."""
    if (folder / MANIFEST).exists():
        return build_segmenter(load_checkpoint(folder))
    try:
        config = json.loads((folder / "segmenter.json").read_text(encoding="utf-8"))["config"]
        weights = load_file(folder / "segmenter.safetensors")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"no trained segmenter in {folder}: {error}") from None
    segmenter = Segmenter(SegmenterConfig(**config))
    segmenter.load_state_dict(weights)
    return segmenter.eval()
