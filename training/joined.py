"""What is made of trained checkpoints without training: read, scored as it will be stored, written with its members."""

from collections.abc import Sequence
from pathlib import Path

from models.checkpoint import Checkpoint, load_checkpoint
from models.parts import Parts, build, frozen_sha256
from models.tagger import choose_device
from training.conll import DataError
from training.data import in_windows, read_folder
from training.export import export
from training.loop import ValidationSet, plain, validate
from training.provenance import data_hashes, typed


def read_members(members: Sequence[Path], visual: str) -> tuple[list[Checkpoint], list[Parts]]:
    """The checkpoints and their parts. Raises DataError where there is nothing to join, or no way to score it."""
    if len(members) < 2:
        raise DataError("--member: two or more are needed")
    if visual == "pixels":
        raise DataError("--visual pixels: what is joined is scored on captions:NAME, or none")
    stored = [load_checkpoint(path) for path in members]
    return stored, [build(each) for each in stored]


def write_scored(
    out: Path,
    name: str,
    parts: Parts,
    members: Sequence[Checkpoint],
    folders: Sequence[Path],
    visual: str,
    device: str,
    eight_bit: bool = False,
) -> Path:
    """Write `parts`, made of `members`, to `out/checkpoint`, scored on the validation sets of `folders`."""
    frozen = frozen_sha256(parts.model)
    parts.model.to(choose_device(device)).eval()
    posts = {folder.name: read_folder(folder, "valid", visual) for folder in folders}
    sets = [ValidationSet(name, in_windows(samples, parts.encoder)) for name, samples in posts.items()]
    metrics = {
        "preset": name,
        "visual": visual,
        "data": data_hashes(folders),
        "valid": plain(validate(parts.model, parts.encoder, parts.segmenter.segment, sets)),
        "members": [{"checkpoint": each.id, "command": each.metrics.get("command", "")} for each in members],
        "parameters": sum(parameter.numel() for parameter in parts.model.parameters()),
        "trained_parameters": sum(p.numel() for p in parts.model.parameters() if p.requires_grad),
        "command": typed(),
    }
    export(out / "checkpoint", parts, {}, metrics, frozen, name, eight_bit)
    return out / "checkpoint"
