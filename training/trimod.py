"""Training TriMod: data folders to vocabularies, a model, a run of the loop, and a checkpoint."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torchvision.models import EfficientNet_B0_Weights

from models.checkpoint import load_checkpoint
from models.encode import PostEncoder, Vocabulary
from models.labels import bio_labels
from models.segmenter import Segmenter, SegmenterConfig
from models.tagger import build, choose_device
from models.trimod import TriMod, TriModConfig
from training.conll import DataError
from training.data import Disturber, Noise, Sample, read_folder
from training.export import export
from training.loop import Recipe, ValidationSet, train
from training.precision import bfloat16_is_faster

LEAST_WORDS, LEAST_CHARACTERS = 2, 5
"""Times that a word and a character must occur in training to have an embedding of their own."""


def train_trimod(
    folders: Sequence[Path],
    captions: str,
    segmenter: Path,
    text_encoder: str,
    dropout: float,
    recipe: Recipe,
    device: str,
    out: Path,
    start_from: Path | None = None,
) -> None:
    """Train on all folders' train.txt, select on their valid.txt, write `out/checkpoint`.

    start_from: a checkpoint whose weights and vocabularies training begins with, instead of the text encoder's own.
    """
    if len({folder.name for folder in folders}) < len(folders):
        raise DataError("the data folders must differ in name: scores are reported by it")
    training = [sample for folder in folders for sample in read_folder(folder, "train", captions)]
    valid = [ValidationSet(folder.name, read_folder(folder, "valid", captions)) for folder in folders]
    torch.manual_seed(recipe.seed)
    if start_from is not None:
        model, words, characters, before = _from_checkpoint(start_from, dropout)
    else:
        model, words, characters, before = *_from_scratch(training, text_encoder, dropout), None
    model.to(choose_device(device))
    encoder = PostEncoder(words, characters, model.config.text_encoder, model.config.max_characters)
    segment = load_segmenter(segmenter)
    labels = set(model.config.labels)
    if unknown := {tag for v in valid for s in v.samples for tag in s.tags} - labels:
        raise DataError(
            f"the validation sets have labels that training does not: {', '.join(sorted(unknown))}"
        )
    class_names = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    disturb = Disturber(Noise(), [sample.image_words for sample in training], class_names, recipe.seed)
    identity = json.dumps(
        [asdict(model.config), words.entries, characters.entries, [f.name for f in folders], captions]
    )
    best = train(model, encoder, segment.segment, training, valid, disturb, recipe, out, identity)
    metrics = {
        "recipe": asdict(recipe) | {"dropout": dropout},
        "started_from": before,
        "noise": asdict(disturb.noise),
        "data": [folder.name for folder in folders],
        "captions": captions,
        "valid": best.scores,
        "epoch": best.epoch,
        "bfloat16": bfloat16_is_faster(choose_device(device)),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "epochs": _log(out / "log.jsonl"),
    }
    export(out / "checkpoint", model, best.weights, words, characters, segment, metrics)


def _from_scratch(
    training: Sequence[Sample], text_encoder: str, dropout: float
) -> tuple[TriMod, Vocabulary, Vocabulary]:
    words, characters = vocabularies(training, text_encoder)
    types = sorted({tag[2:] for sample in training for tag in sample.tags if tag != "O"})
    config = TriModConfig(labels=tuple(bio_labels(types)), text_encoder=text_encoder, dropout=dropout)
    return TriMod(config, words.size, characters.size), words, characters


def _from_checkpoint(path: Path, dropout: float) -> tuple[TriMod, Vocabulary, Vocabulary, dict[str, Any]]:
    """The model in a checkpoint with another dropout, its vocabularies, and how it was trained."""
    stored = load_checkpoint(path)
    stored.config["trimod"]["dropout"] = dropout
    model, _, _ = build(stored)
    words, characters = (
        Vocabulary(tuple(stored.config["vocabulary"][part])) for part in ("words", "characters")
    )
    return model, words, characters, stored.metrics


def load_segmenter(folder: Path) -> Segmenter:
    """The segmenter that `trimod train segmenter` wrote to `folder`."""
    try:
        config = json.loads((folder / "segmenter.json").read_text(encoding="utf-8"))["config"]
        weights = load_file(folder / "segmenter.safetensors")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"no trained segmenter in {folder}: {error}") from None
    segmenter = Segmenter(SegmenterConfig(**config))
    segmenter.load_state_dict(weights)
    return segmenter.eval()


def vocabularies(samples: Sequence[Sample], text_encoder: str) -> tuple[Vocabulary, Vocabulary]:
    """The word table's (empty where a transformer takes its place) and the characters'."""
    characters = Vocabulary.of((c for s in samples for token in s.tokens for c in token), LEAST_CHARACTERS)
    if text_encoder:
        return Vocabulary(()), characters
    return Vocabulary.of(
        (w.lower() for s in samples for w in s.tokens + s.image_words), LEAST_WORDS
    ), characters


def _log(path: Path) -> list[dict[str, Any]]:
    """Loss, seconds and overall F1 of each epoch: the learning curve."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        {key: line[key] for key in ("epoch", "loss", "seconds")}
        | {"f1": {name: each["overall"]["f1"] for name, each in line["scores"].items()}}
        for line in lines
    ]
