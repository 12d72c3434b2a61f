"""The experiments by name, on checkpoints and with training; runs them and writes their results.

A result is a folder: `table.md` and `table.json` (training/reports/tables.py), and `figure*.png`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.checkpoints.format import load_checkpoint
from training.engine.progress import TrainingProgress
from training.errors import DataError
from training.evaluation.evaluate import ImageSource
from training.experiments.on_checkpoints import CHECKPOINT_EXPERIMENTS, Comparison
from training.experiments.on_components import PART_EXPERIMENTS
from training.experiments.published import T15, T17
from training.experiments.silver import SOURCE, silver
from training.experiments.specs import TRAINED_EXPERIMENTS
from training.experiments.with_training import Setting, run_experiment
from training.provenance import data_hashes, origins, typed
from training.reports.tables import Table


def listed() -> dict[str, str]:
    """Every experiment's name with a one-line description."""
    on_checkpoints = {name: _about(made) for name, made in CHECKPOINT_EXPERIMENTS.items()}
    on_checkpoints |= {name: _about(made) for name, (made, _) in PART_EXPERIMENTS.items()}
    on_checkpoints["silver"] = _about(silver)
    return on_checkpoints | {name: each.title for name, each in TRAINED_EXPERIMENTS.items()}


def kind_of(name: str) -> str:
    """The kind of experiment `name`: "on checkpoints", "on parts" of them, "silver", or "with training"."""
    if name in CHECKPOINT_EXPERIMENTS:
        return "on checkpoints"
    if name in PART_EXPERIMENTS:
        return "on parts"
    return "silver" if name == "silver" else "with training"


def labels_of(checkpoints: Sequence[Path]) -> dict[str, Path]:
    """A short label for each checkpoint: its folder's name, or its run's. Raises DataError if two are the same."""
    labelled = {(path.parent.name if path.name == "checkpoint" else path.name): path for path in checkpoints}
    if len(labelled) < len(checkpoints):
        raise DataError("checkpoint folder names must differ, because rows are labelled by name")
    return labelled


def on_checkpoints(
    name: str,
    checkpoints: Sequence[Path],
    folders: Sequence[Path],
    visual: str,
    images: Path | None,
    seed: int,
    device: str,
    out: Path,
) -> Table:
    """Run experiment `name` on trained checkpoints, and write its result to `out`.

    folders: labelled sets. images: unrelated pictures.
    """
    source = ImageSource(images, seed) if images else None
    bench = Comparison(labels_of(checkpoints), folders, out, visual, source, seed, device)
    with TrainingProgress(transient=True) as progress:
        table = CHECKPOINT_EXPERIMENTS[name](bench, progress)
    sets = ", ".join(folder.name for folder in folders)
    about = f"Validation splits of {sets}; visual input {visual}; strict scores, in percent."
    facts = _facts(folders, checkpoints=checkpoints)
    return _written(replace(table, notes=[*table.notes, about]), out, facts)


def on_parts(name: str, checkpoints: Sequence[Path], data: Path, out: Path) -> Table:
    """Run experiment `name` on components of trained checkpoints, and write its result to `out`."""
    made, folder = PART_EXPERIMENTS[name]
    with TrainingProgress(transient=True) as progress:
        table = made(labels_of(checkpoints), data, out, progress)
    return _written(table, out, _facts([data / folder], checkpoints=checkpoints))


def with_training(name: str, setting: Setting, out: Path) -> Table:
    """Run experiment `name`, which trains, and write its result to `out`."""
    experiment = TRAINED_EXPERIMENTS[name]
    sets = {part for trial in experiment.trials for part in (*trial.train, *trial.more, *trial.score)}
    with TrainingProgress(transient=True) as progress:
        table = run_experiment(experiment, setting, progress, out)
    return _written(table, out, _facts([setting.data / part for part in sorted(sets)], setting.vectors))


def on_silver(checkpoints: Sequence[Path], setting: Setting, out: Path) -> Table:
    """Run the silver experiment (training/experiments/silver.py), which takes checkpoints and trains models."""
    with TrainingProgress(transient=True) as progress:
        table = silver(labels_of(checkpoints), setting, progress, out)
    seeds = f"Mean over seeds {', '.join(map(str, setting.seeds))}; "
    seeds += f"vectors: {', '.join(path.name for path in setting.vectors) or 'none'}."
    facts = _facts([setting.data / part for part in (SOURCE, T15, T17)], setting.vectors, checkpoints)
    return _written(replace(table, notes=[*table.notes, seeds]), out, facts)


def _written(table: Table, out: Path, facts: Mapping[str, Any]) -> Table:
    table = replace(table, facts=facts)
    table.write(out)
    return table


def _facts(
    folders: Sequence[Path], vectors: Sequence[Path] = (), checkpoints: Sequence[Path] = ()
) -> dict[str, Any]:
    """Command, data, vectors and checkpoint ids (by label) of a result."""
    ids = {label: load_checkpoint(path).id for label, path in labels_of(checkpoints).items()}
    data = data_hashes(file for folder in folders for file in folder.iterdir() if file.is_file())
    return {"command": typed(), "data": data, "vectors": origins(vectors), "checkpoints": ids}


def _about(made: Callable[..., Table]) -> str:
    return (made.__doc__ or "").split("\n", 1)[0]
