"""One training run of any preset: from data folders to vocabularies, a model, the training loop and a checkpoint."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torchvision.models import EfficientNet_B0_Weights

from models.architectures.base import SequenceTagger
from models.architectures.registry import MODELS, configured
from models.checkpoints.components import Components, frozen_sha256
from models.core.labels import bio_labels
from models.core.visual_context import VisualContext
from models.inference.device import choose_device
from models.layers.lora import halve_frozen
from models.vision.captioner import Captioner
from models.vision.image_reader import ImageReader
from training.data.augmentation import Augmenter
from training.data.datasets import Look, Sample, further, read_folder, types_of
from training.data.image_features import image_file, read_features
from training.data.vocabulary import vocabularies
from training.engine.fast_dropout import quicken_dropout
from training.engine.precision import in_bfloat16
from training.engine.trainer import Best, ValidationSet, train
from training.errors import DataError
from training.pretraining.encoder_file import start_encoder
from training.provenance import origins, sha256_of, typed
from training.runs.components import _captioner, load_segmenter
from training.runs.distillation import TeacherSignal, taught
from training.runs.export import export
from training.runs.initialization import untrained
from training.runs.presets import Preset, changed
from training.runs.spec import Posts, Run, part_file
from training.runs.warm_start import WarmStart, continue_from, load_warm_start

log = logging.getLogger(__name__)


def train_preset(preset: Preset, run: Run, device: str, out: Path) -> Path:
    """Train on all folders' training files, select on their validation files; return the written `out/checkpoint`.

    Raises DataError for unsuitable data, before training starts.
    """
    _check(preset, run)
    chosen = choose_device(device)
    if run.visual == "pixels" and "use_pixels" in {f.name for f in fields(MODELS[preset.model][0])}:
        preset = changed(preset, use_pixels=True)
    warm = None
    if run.start_from:
        warm, preset = load_warm_start(run.start_from, preset, run.name)
    captioner = _captioner(run, warm)
    posts = _read(run, _look(preset, run, chosen, captioner) if run.visual == "pixels" else None)
    torch.manual_seed(preset.recipe.seed)
    labels = tuple(bio_labels(sorted(posts.types)))
    parts = replace(_parts(preset, run, posts.training, labels, warm), captioner=captioner)
    vectors_from = warm.vectors if warm else origins(run.vectors)
    for table in parts.model.word_tables():
        table.weight.requires_grad_(preset.recipe.tune_words or not vectors_from)
    posts = posts.in_windows(parts.encoder)
    training = posts.training
    if run.teachers:
        signal = TeacherSignal(run.teachers, labels, run.teacher_share, chosen, out / "teachers")
        training = taught(posts.by_folder, posts.more, signal)
    frozen = frozen_sha256(parts.model)
    _optimize_for(parts.model, chosen)
    class_names = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    disturb = Augmenter(preset.noise, training, class_names)
    told = run.identity()
    identity = json.dumps([told, asdict(parts.model.config), parts.words.entries])
    segment = parts.segmenter.segment
    best = train(
        parts.model, parts.encoder, segment, training, posts.valid, disturb, preset.recipe, out, identity
    )
    metrics = {
        **told,
        "vectors_from": vectors_from,
        "bfloat16": in_bfloat16(parts.model, chosen),
        **_measured(preset, parts.model, best),
    }
    export(out / "checkpoint", parts, best.weights, metrics, frozen, run.name)
    return out / "checkpoint"


def _check(preset: Preset, run: Run) -> None:
    """Raises DataError for settings that are incompatible."""
    if len({folder.name for folder in run.folders}) < len(run.folders):
        raise DataError("--data: folder names must differ, because scores are reported by name")
    if run.start_from and run.vectors:
        raise DataError("--vectors: not allowed with --start-from, whose checkpoint brings its own")
    if run.start_from and run.start_encoder:
        raise DataError(
            "--start-encoder: not allowed with --start-from, whose checkpoint brings its own encoder"
        )
    if preset.hyper.get("mismatch_penalty") and not preset.noise.other_image:
        raise DataError(
            "mismatch_penalty needs posts with another post's image: also set other_image above 0"
        )


def _read(run: Run, look: Look | None) -> Posts:
    """All posts of the run. Raises DataError if the validation sets have types that training has not."""
    by_folder = {folder.name: read_folder(folder, "train", run.visual, look) for folder in run.folders}
    tagged = list(chain.from_iterable(by_folder.values()))
    more = _further(run, types_of(tagged))
    valid = [ValidationSet(f.name, read_folder(f, "valid", run.visual, look)) for f in run.folders]
    # With teachers, the further posts' own tags are not read: they may follow another scheme.
    types = types_of(tagged if run.teachers else tagged + more)
    if unknown := types_of([s for each in valid for s in each.samples]) - types:
        raise DataError(
            f"the validation sets have types that the training sets lack: {', '.join(sorted(unknown))}"
        )
    return Posts(by_folder, more, valid, types)


def _optimize_for(model: SequenceTagger, device: torch.device) -> None:
    """Move the model to the device, and apply the device's optimizations."""
    model.to(device)
    if in_bfloat16(model, device):
        halve_frozen(model)
    if device.type == "cpu":
        quicken_dropout(model)


def _measured(preset: Preset, model: SequenceTagger, best: Best) -> dict[str, Any]:
    """How the model was trained, and its scores, as JSON."""
    return {
        "recipe": asdict(preset.recipe),
        "noise": asdict(preset.noise),
        "valid": best.scores,
        "epoch": best.epoch,
        "epochs": best.history,
        "seconds": sum(each["seconds"] for each in best.history),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "command": typed(),
    }


def _further(run: Run, types: set[str]) -> list[Sample]:
    """The further folders' posts. Raises DataError for a type to rename that none of them has."""
    names = dict(run.renamed)
    read = [read_folder(folder, "train", "none") for folder in run.more]
    there = types_of([sample for samples in read for sample in samples])
    if unknown := sorted(names.keys() - there):
        raise DataError(
            f"--rename {unknown[0]}: no --more folder has that type; they have: {', '.join(sorted(there)) or 'none'}"
        )
    more = [sample for samples in read for sample in further(samples, names, types)]
    if added := sorted(types_of(more) - types):
        log.warning("--more adds types that --data lacks: %s", ", ".join(added))
    return more


def _look(preset: Preset, run: Run, device: torch.device, captioner: Captioner | None) -> Look:
    """A function that returns the image input that the preset's model needs, from pixels."""
    config = _configured(preset)
    reader = ImageReader(config.inputs, device, 0, captioner)
    source = run.captioner_folder
    captions = sha256_of(part_file(source, "captioner")) if captioner and source else None

    def look(folder: Path, ids: Sequence[str]) -> dict[str, VisualContext]:
        # Features depend on folder, CNN, detector and captioner.
        looking = hashlib.sha256(repr([folder.resolve(), config.inputs, captions]).encode()).hexdigest()[:8]
        images = {name: image_file(folder / "images", name) for name in ids}
        seen = read_features(run.features / f"{folder.name}.{looking}", images, reader)
        missing = sum(each.pixels is None for each in seen.values())
        if seen and missing == len(seen):
            raise DataError(f"{folder / 'images'} has none of the posts' {len(seen)} images")
        if missing:
            log.warning("%s: %d of %d images are missing or broken", folder / "images", missing, len(seen))
        return seen

    return look


def _configured(preset: Preset) -> Any:
    """The model's configuration without its labels. Raises DataError for an unknown setting."""
    try:
        return configured(preset.model, {**preset.hyper, "labels": ("O",)})
    except ValueError as error:
        raise DataError(str(error)) from None


def _parts(
    preset: Preset, run: Run, training: Sequence[Sample], labels: tuple[str, ...], warm: WarmStart | None
) -> Components:
    """An untrained model with its vocabularies, or the one to start from, with the labels of the data."""
    if warm is None:
        parts = untrained(preset, training, labels, load_segmenter(run.segmenter_folder), run.vectors)
        if run.start_encoder:
            start_encoder(parts.model, run.start_encoder)
        return parts
    segmenter = load_segmenter(run.segmenter) if run.segmenter else warm.parts.segmenter
    return continue_from(warm, preset, labels, segmenter, vocabularies(training)[1])
