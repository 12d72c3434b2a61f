"""Runs the experiments of training/experiments/specs.py: trains missing runs, scores them, and makes the table.

The name of a run's folder depends on everything that defines the run, so experiments share runs: the full HamLearning
of its Table 3 is that of Tables 4 and 5. A finished run is scored again only if its checkpoint has changed. An
unfinished run continues from its last epoch. A row that cannot be trained stops the experiment without a table; runs
trained before it are kept.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rich.progress import Progress

from models.architectures.registry import MODELS
from models.checkpoints.format import MANIFEST, METRICS, load_checkpoint
from models.inference.tagger import Tagger
from training.data import controls
from training.data.datasets import Sample, read_folder
from training.engine.run_state import LOCK, alone
from training.errors import DataError
from training.evaluation.measure import look_of, measure
from training.experiments.on_checkpoints import figures
from training.experiments.published import claim
from training.experiments.specs import Row, TrainedExperiment, Trial
from training.reports import plots
from training.reports.tables import Table, Value, mean_row
from training.runs.presets import PRESETS, Preset, changed
from training.runs.spec import Run
from training.runs.train import train_preset


@dataclass(frozen=True)
class Setting:
    """Where data and runs are, and what the user changed to limit the cost.

    data: folder with a subfolder per set. runs: folder for runs. overrides: settings for every row's preset, applied
    before the row's own. encoder: text encoder of the rows that have one. vectors: word vectors of the others.
    """

    data: Path
    runs: Path
    visual: str = "captions:blip2"
    seeds: tuple[int, ...] = (1,)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    encoder: str = ""
    vectors: tuple[Path, ...] = ()
    device: str = "auto"


def run_experiment(experiment: TrainedExperiment, setting: Setting, progress: Progress, out: Path) -> Table:
    """Train and score every row in every trial; write `out/figure.png`.

    Raises DataError, naming the row, if a row cannot be trained. Earlier rows are kept in their run folders.
    """
    rows: list[dict[str, Value]] = []
    panels: dict[str, list[plots.Dot]] = {trial.name: [] for trial in experiment.trials}
    for trial in experiment.trials:
        for row in experiment.rows:
            found = [_scores(row, trial, setting, seed, progress) for seed in setting.seeds]
            stated = claim(*row.system, trial.name) if row.system else None
            paper = stated.f1 if stated else None
            ours = summary(found)
            rows.append({"trial": trial.name, "row": row.label, **ours, "paper F1 (test)": paper})
            mean, lowest, highest = (float(ours[name] or 0) for name in ("F1", "lowest", "highest"))
            panels[trial.name].append(plots.Dot(row.label, mean, lowest, highest, paper))
    plots.dots(panels, experiment.title, out / "figure.png")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(experiment.title, columns, rows, [*experiment.notes, *_conditions(experiment, setting)])


def _conditions(experiment: TrainedExperiment, setting: Setting) -> list[str]:
    """A note about the user's choices."""
    own = all(trial.score == trial.train for trial in experiment.trials)
    chosen_on = (
        "which also selected the epoch" if own else "with the epoch selected on the training set's split"
    )
    visuals = {row.visual or setting.visual for row in experiment.rows}
    seen = ", ".join(sorted(visuals - {"none"})) or "none"
    seen += " unless a row has none" if {"none"} < visuals else ""
    seeds = ", ".join(map(str, setting.seeds))
    chosen = [f"{name} {value}" for name, value in setting.overrides.items()]
    chosen += [f"text encoder {setting.encoder}"] if setting.encoder else []
    chosen += [f"word vectors {path.name}" for path in setting.vectors]
    other = f" Instead of the presets' own values: {', '.join(chosen)}." if chosen else ""
    return [
        f"Strict scores on validation splits, {chosen_on}; mean over seeds {seeds}. Visual input: {seen}.{other}"
    ]


def summary(found: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """The mean of every figure over the seeds, and the lowest and highest F1."""
    f1 = [float(each["F1"] or 0) for each in found]
    return {"seeds": len(found), **mean_row(found), "lowest": min(f1), "highest": max(f1)}


def preset_of(row: Row, setting: Setting, seed: int) -> Preset:
    """The row's preset with the user's and the row's overrides. Raises DataError for an unknown preset or setting."""
    if row.preset not in PRESETS:
        raise DataError(
            f"row {row.label!r}: unknown preset {row.preset!r}; known presets: {', '.join(PRESETS)}"
        )
    preset = PRESETS[row.preset]
    noise = without_noise(row.visual or setting.visual)
    settings = {**noise, **setting.overrides, **row.overrides, "seed": seed}
    config, _ = MODELS[preset.model]
    if setting.encoder and (preset.hyper.get("text_encoder") or getattr(config, "text_encoder", "")):
        settings["text_encoder"] = setting.encoder
    known = {each.name for each in (*fields(config), *fields(preset.recipe), *fields(preset.noise))}
    if unknown := sorted(set(settings) - known):
        raise DataError(f"row {row.label!r}: preset {row.preset} has no setting {', '.join(unknown)}")
    return changed(preset, **settings)


def without_noise(visual: str) -> dict[str, float]:
    """Settings of a run without image input: turns off the CNN class words that are otherwise added as training
    noise."""
    return {"class_words": 0.0} if visual == "none" else {}


def run_folder(row: Row, trial: Trial, preset: Preset, setting: Setting) -> Path:
    """The folder of the row's run: the same in any experiment for the same preset, settings, data and visual input.

    An explicit setting equals the same default: L = 3 of HamLearning's Table 4 is its Table 3's full model.
    """
    visual = row.visual or setting.visual
    vectors = [path.name for path in _vectors(preset, setting)]
    config = MODELS[preset.model][0](labels=(), **preset.hyper)
    says = [preset.model, preset.recipe, config, preset.noise, trial.more, vectors]
    digest = hashlib.sha256(repr(says).encode()).hexdigest()[:8]
    name = f"{row.preset}.{'+'.join((*trial.train, *trial.more))}.{visual.replace(':', '-')}.{digest}"
    return setting.runs / f"{name}.seed{preset.recipe.seed}"


def _vectors(preset: Preset, setting: Setting) -> tuple[Path, ...]:
    return () if preset.hyper.get("text_encoder") else setting.vectors


def _scores(row: Row, trial: Trial, setting: Setting, seed: int, progress: Progress) -> dict[str, Value]:
    """The figures of one run, which is trained first if necessary."""
    preset = preset_of(row, setting, seed)
    folder = run_folder(row, trial, preset, setting)
    visual = row.visual or setting.visual
    run = Run(
        row.preset,
        folders=tuple(setting.data / name for name in trial.train),
        visual=visual,
        more=tuple(setting.data / name for name in trial.more),
        vectors=_vectors(preset, setting),
    )
    checkpoint = folder / "checkpoint"
    progress.console.print(f"{trial.name}, {row.label}, seed {seed}: {folder}")
    with alone(folder / LOCK):
        finished = (checkpoint / MANIFEST).exists()
        if not finished:
            progress.stop()  # training shows progress of its own
            train_preset(preset, run, setting.device, folder)
            progress.start()
    if finished and _is_other(json.loads((checkpoint / METRICS).read_text("utf-8")), run.identity()):
        raise DataError(f"{folder} contains a run on other data: move it, or choose another --runs folder")
    return _measured(checkpoint, row, trial, setting, visual, progress)


def _is_other(metrics: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether a finished run used other data, or other vectors of the same name, than are given now."""
    vectors = told.get("vectors_sha256")
    # Runs of before were of every file that the folders held.
    data = told["data"].items() <= metrics["data"].items()
    return not data or bool(metrics.get("vectors_sha256", vectors) != vectors)


def _measured(
    checkpoint: Path, row: Row, trial: Trial, setting: Setting, visual: str, progress: Progress
) -> dict[str, Value]:
    """The checkpoint's figures in the trial; read from `scores/` beside it if they are this checkpoint's."""
    version = load_checkpoint(checkpoint).id
    name = hashlib.sha256(repr([trial, row.hashtags, visual]).encode()).hexdigest()[:8]
    stored = checkpoint.parent / "scores" / f"{name}.json"
    if stored.exists() and (found := json.loads(stored.read_text("utf-8")))["checkpoint"] == version:
        return dict(found["figures"])
    tagger = Tagger.load(checkpoint, setting.device)
    samples = [sample for part in trial.score for sample in _valid(setting.data / part, visual, tagger)]
    if not row.hashtags:
        samples = controls.without_hashtags(samples)
    measured = measure(tagger, samples, progress, f"scoring {row.label}", types=trial.types)
    row_figures = figures(measured)
    stored.parent.mkdir(exist_ok=True)
    text = json.dumps({"checkpoint": version, "trial": trial.name, "figures": row_figures}, indent=1)
    stored.write_text(text + "\n", encoding="utf-8")
    return row_figures


def _valid(folder: Path, visual: str, tagger: Tagger) -> list[Sample]:
    """The validation samples; a set without images (no caption file, no images/) is read as text alone."""
    kind, _, name = visual.partition(":")
    needed = (f"captions.{name}.json", name) if kind == "captions" else ("images",)
    there = any((folder / file).exists() for file in needed)
    return read_folder(folder, "valid", visual if there else "none", look_of(tagger))
