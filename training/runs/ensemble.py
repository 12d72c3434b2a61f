"""Joins trained TriMods into an ensemble (models/architectures/ensemble.py), which is a checkpoint like any other.
Nothing is trained.

To make it small, the changes that training made to the members' encoders can be kept as low-rank adapters, and weights
can be quantized.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import cycle
from pathlib import Path
from typing import Any

from models.architectures.ensemble import Committee, CommitteeConfig
from models.architectures.registry import create
from models.checkpoints.components import Components, build, frozen_sha256, tensors_of
from models.checkpoints.format import MODEL, load_checkpoint
from models.checkpoints.quantization import packed, unpacked
from models.core.errors import one_line
from models.inference.device import choose_device
from models.layers.lora import fitted
from training.data.datasets import files_read, read_folder
from training.data.vocabulary import known_by_any, relaid
from training.engine.trainer import ValidationSet, plain, validate
from training.errors import DataError
from training.provenance import data_hashes, typed
from training.runs.export import export

NAME = "committee"
"""In models/architectures/registry.py."""


def join(
    members: Sequence[Path],
    folders: Sequence[Path],
    visual: str,
    device: str,
    out: Path,
    ranks: Sequence[int] = (),
    bits: int | None = None,
    specialists: Sequence[tuple[str, Path]] = (),
    least_confidence: float | None = None,
) -> Path:
    """Write the ensemble of the checkpoints `members` to `out/checkpoint`, scored on the validation sets of `folders`.

    Segmenter, captioner and, if not given, the least confidence are the first member's. ranks: rank of the adapters
    that keep the changes to each member's encoder, one each or one for all; empty keeps all changes. bits: per weight
    of the model, instead of float16; the quantized model is scored. specialists: further members, each with the only
    data set it was trained on, weighted by their agreement with the others (models/architectures/ensemble.py); `ranks`
    continues with them. Raises DataError, naming the member, for one that is incompatible with the first."""
    members = [*members, *(path for _, path in specialists)]
    if len(members) < 2:
        raise DataError("an ensemble needs at least two members")
    if len(ranks) not in (0, 1, len(members)):
        raise DataError(
            f"--rank: {len(ranks)} ranks for {len(members)} members; give one for all or one for each"
        )
    if visual == "pixels":
        raise DataError("--visual pixels: an ensemble can only be scored on captions:NAME or none")
    stored = [load_checkpoint(path) for path in members]
    joined = [build(each) for each in stored]
    for path, parts in zip(members, joined, strict=True):
        if reason := _unlike(joined[0], parts):
            raise DataError(f"{path} cannot be in an ensemble with {members[0]}: {reason}")
    if ranks:
        joined = [_of_rank(each, rank) for each, rank in zip(joined, cycle(ranks), strict=False)]
    parts = _parts(joined, [name for name, _ in specialists], least_confidence)
    if bits is not None:
        own = {name.removeprefix(MODEL): t for name, t in tensors_of(parts).items() if name.startswith(MODEL)}
        parts.model.load_state_dict(unpacked(packed(own, bits)), strict=False)
    frozen = frozen_sha256(parts.model)
    parts.model.to(choose_device(device)).eval()
    posts = {folder.name: read_folder(folder, "valid", visual) for folder in folders}
    sets = [ValidationSet(name, samples) for name, samples in posts.items()]
    metrics = {
        "preset": NAME,
        "visual": visual,
        "data": data_hashes(files_read(folders, ["valid"], visual)),
        "valid": plain(validate(parts.model, parts.encoder, parts.segmenter.segment, sets)),
        "members": [{"checkpoint": each.id, "command": each.metrics.get("command", "")} for each in stored],
        "parameters": sum(parameter.numel() for parameter in parts.model.parameters()),
        "trained_parameters": sum(p.numel() for p in parts.model.parameters() if p.requires_grad),
        "command": typed(),
    }
    export(out / "checkpoint", parts, {}, metrics, frozen, NAME, bits)
    return out / "checkpoint"


def _unlike(first: Components, other: Components) -> str:
    """Why the two cannot be in one ensemble; empty if they can. The model checks the encoders."""
    if other.name != "trimod":
        return f"it is a {other.name} model, but members must be TriMods"
    if first.model.crf.labels != other.model.crf.labels:
        return f"it has different labels, {', '.join(other.model.crf.labels)}"
    if first.words != other.words:
        return "it has a different vocabulary; train both on the same data"
    return ""


def _of_rank(parts: Components, rank: int) -> Components:
    """The parts with the encoder's changes reduced to adapters of `rank` and biases, if they are larger."""
    config = asdict(parts.model.config)
    if not config["text_encoder"] or 0 < config["adapters"] <= rank:
        return parts
    smaller = {"adapters": rank, "tune_biases": config["tune_biases"] or not config["adapters"]}
    model = create(parts.name, {**config, **smaller}, parts.words.size, parts.characters.size)
    model.load_state_dict(fitted(parts.model.state_dict(), model))
    return replace(parts, model=model)


def _parts(
    joined: Sequence[Components], specialists: Sequence[str], least_confidence: float | None
) -> Components:
    first, characters = joined[0], known_by_any(*(parts.characters for parts in joined))
    members = tuple(_hyper(parts) for parts in joined)
    if least_confidence is None:
        least_confidence = first.model.config.least_confidence
    config = CommitteeConfig(tuple(first.model.crf.labels), members, tuple(specialists), least_confidence)
    try:
        model = create(NAME, asdict(config), first.words.size, characters.size)
    except ValueError as error:
        raise DataError(one_line(error)) from None
    assert isinstance(model, Committee)
    for member, parts in zip(model.trimods, joined, strict=True):
        member.load_state_dict(relaid(parts.model.state_dict(), member, parts.characters, characters))
    model.take_the_mean()
    return Components(NAME, model, first.words, characters, first.segmenter, first.captioner)


def _hyper(parts: Components) -> dict[str, Any]:
    return {name: value for name, value in asdict(parts.model.config).items() if name != "labels"}
