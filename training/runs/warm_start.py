"""Warm start: training that starts from a checkpoint, what is kept of it, and which presets allow it.

Sizes, vocabularies and weights are the checkpoint's. Dropout is the preset's, and so are settings given explicitly. The
kind of system must be the preset's, or a run would carry another system's name. A checkpoint that was trained by the
preset of that name is used as it is.
"""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from models.architectures.registry import MODELS, create
from models.checkpoints.components import Components, build
from models.checkpoints.format import load_checkpoint
from models.core.errors import one_line
from models.hashtags.segmenter import Segmenter
from models.layers.lora import fitted
from models.text.vocabulary import Vocabulary
from training.data.vocabulary import known_by_any, relaid
from training.errors import DataError
from training.runs.presets import PRESETS, Preset

HEADS = ("emit.", "crf.")
"""Weights that belong to a label set: initialized again if the labels differ."""
OF_ANY = {"labels", "use_pixels", "tune_biases"}
"""Settings that do not define the kind of system. Labels come from the data, a model that reads pixels may continue
with words alone, and the trained share of an encoder does not change the system."""


@dataclass(frozen=True)
class WarmStart:
    """The checkpoint of a warm start."""

    path: Path
    parts: Components
    vectors: dict[str, Any]
    """Origin of the word vectors it was trained with; empty if none."""


def load_warm_start(path: Path, preset: Preset, name: str) -> tuple[WarmStart, Preset]:
    """The checkpoint at `path`, and the preset called `name` with the checkpoint's hyper-parameters.

    Raises DataError, naming the difference, if the checkpoint is of another system than the preset's.
    """
    stored = load_checkpoint(path)
    parts = build(stored)
    if parts.name != preset.model:
        raise DataError(
            f"--start-from {path} has the model {parts.name}, but this preset trains {preset.model}"
        )
    config = asdict(parts.model.config)
    trained = stored.config["name"]
    if trained != name and (other := _another_kind(config, preset)):
        instead = f"train {trained}, or " if trained in PRESETS else ""
        raise DataError(
            f"--start-from {path}: {other}={config[other]!r} differs from preset {name}; {instead}set it explicitly "
            f"with --set {other}=..."
        )
    asked = {name: preset.hyper[name] for name in ("dropout", *preset.asked) if name in preset.hyper}
    if asked.keys() & {"backbone", "detector"}:
        asked.setdefault("image_size", 0)  # another's features have another width
    warm = WarmStart(path, parts, stored.metrics.get("vectors_from", {}))
    return warm, replace(preset, hyper={**config, **asked})


def _another_kind(config: dict[str, Any], preset: Preset) -> str | None:
    """The first setting that makes another system of the checkpoint than of the preset, unless it was asked for."""
    kind, _ = MODELS[preset.model]
    for field in fields(kind):
        wanted = preset.hyper.get(field.name, field.default)
        is_size = isinstance(wanted, int | float) and not isinstance(wanted, bool)
        if is_size or field.name in {*OF_ANY, *preset.asked}:
            continue
        if config[field.name] != wanted:
            return field.name
    return None


def continue_from(
    warm: WarmStart, preset: Preset, labels: tuple[str, ...], segmenter: Segmenter, seen: Vocabulary
) -> Components:
    """The checkpoint's model with these labels and the hyper-parameters of the preset from `load_warm_start`.

    Characters `seen` in training that the model lacks are added. Raises DataError if the weights do not fit.
    """
    before = warm.parts
    characters = known_by_any(seen, before.characters)
    try:
        model = create(preset.model, {**preset.hyper, "labels": labels}, before.words.size, characters.size)
        weights = fitted(before.model.state_dict(), model)
        weights = relaid(weights, model, before.characters, characters)
        if before.model.config.labels != labels:
            weights = {name: tensor for name, tensor in weights.items() if not name.startswith(HEADS)}
        unknown = model.load_state_dict(weights, strict=False).unexpected_keys
    except (ValueError, RuntimeError) as error:
        raise DataError(f"--start-from {warm.path}: {one_line(error)[:300]}") from None
    if unknown:
        raise DataError(f"--start-from {warm.path}: this model does not have the weights {unknown[0]}, ...")
    return Components(preset.model, model, before.words, characters, segmenter)
