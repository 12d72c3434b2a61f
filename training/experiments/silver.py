"""Silver data: what models that read pixels learn from posts tagged by a checkpoint, and how far to trust it.

The labelled sets' pixels are not available. `mvsa/` has posts with pixels but no labels. A checkpoint tags these posts
(training/labelling.py) and a tenth is held out. Models that read pixels are trained on the rest, and so are the same
models on text alone. Agreement with silver labels shows what they learned from them, not what is right. The labelled
validation sets show that, but only their text can be read. Silver labels cannot show what an image adds either, because
the tagger that made them had its own image input."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from rich.progress import Progress

from models.inference.tagger import Tagger
from training.data import controls
from training.data.datasets import read_folder
from training.engine.run_state import LOCK, alone
from training.evaluation.measure import look_of, measure
from training.experiments.on_checkpoints import figures, overall_figures, type_figures
from training.experiments.published import T15, T17
from training.experiments.with_training import Setting, summary, without_noise
from training.labelling import LabelledLine, agreement, label, write_conll
from training.reports import plots
from training.reports.tables import Table, Value
from training.runs.presets import PRESETS, changed
from training.runs.spec import Run
from training.runs.train import train_preset

SOURCE = "mvsa"
STUDENTS = ("trimod", "hsn")
"""Presets that are trained. One reads the mean over an image's pixels, the other 7 x 7 regions."""
HELD_BACK = 10
"""One post in this many is held out from training."""


def silver(checkpoints: Mapping[str, Path], setting: Setting, progress: Progress, out: Path) -> Table:
    """Silver labels from a checkpoint: how far other checkpoints agree, and what models learn from them.

    checkpoints: by label; the first one tags the training posts.
    """
    first, *others = checkpoints
    labelled = {name: _labels(name, path, setting, progress) for name, path in checkpoints.items()}
    rows: list[dict[str, Value]] = []
    for other in others:
        agreed = agreement(labelled[first], labelled[other])
        rows.append(
            {
                "model": other,
                "scored on": f"{SOURCE}, all posts",
                **overall_figures(agreed),
                **type_figures(agreed),
            }
        )
    folder = setting.runs / "silver" / first
    _write(labelled[first], folder, setting.data / SOURCE / "images")
    for preset in STUDENTS:
        for visual in ("none", "pixels"):
            rows += _trained(preset, visual, folder, setting, progress)
    held = [row for row in rows if str(row["scored on"]).startswith("silver")]
    dots = [plots.Dot(f"{row['model']}, {row['scored on']}", float(row["F1"] or 0)) for row in held]
    title = "Silver labels of posts with images"
    plots.dots({f"labels by {first}": dots}, title, out / "figure.png", axis="F1 against silver labels, %")
    mentions = sum(len(each.spans) for each in labelled[first])
    columns = list(dict.fromkeys(["model", "trained on", "scored on", *(key for row in rows for key in row)]))
    return Table(
        title, columns, rows,
        [f"{len(labelled[first])} posts of {SOURCE}, {mentions} mentions by {first}; one post in {HELD_BACK} is held "
         "out. Against silver labels, F1 is agreement with the checkpoint that made them. On the labelled sets, whose "
         "pixels are not available, only the text is read: this shows what silver training is worth on real labels."],
    )  # fmt: skip


def _labels(name: str, checkpoint: Path, setting: Setting, progress: Progress) -> list[LabelledLine]:
    """The posts as tagged by a checkpoint; tagged now unless they are stored already."""
    tagger = Tagger.load(checkpoint, setting.device)
    stored = setting.runs / "silver" / f"{name}.{tagger.version}.txt"
    return label(setting.data / SOURCE / "posts.jsonl", tagger, stored, progress)


def _write(labelled: list[LabelledLine], folder: Path, images: Path) -> None:
    """A data folder: train.txt, valid.txt and images/."""
    folder.mkdir(parents=True, exist_ok=True)
    valid = [each for index, each in enumerate(labelled) if index % HELD_BACK == 0]
    train = [each for index, each in enumerate(labelled) if index % HELD_BACK]
    write_conll(train, folder / "train.txt", 0.0, "post")
    write_conll(valid, folder / "valid.txt", 0.0, "post")
    if not (folder / "images").exists():
        (folder / "images").symlink_to(images.resolve())


def _trained(
    preset: str, visual: str, folder: Path, setting: Setting, progress: Progress
) -> list[dict[str, Value]]:
    """A model trained on silver labels, scored on the held-out posts and the labelled sets; means over the seeds."""
    found: dict[str, list[dict[str, Value]]] = {}
    for seed in setting.seeds:
        tagger = Tagger.load(_checkpoint(preset, visual, folder, setting, seed, progress), setting.device)
        own = read_folder(folder, "valid", visual, look_of(tagger))
        inputs = {"silver, text" if visual == "none" else "silver, own image": own}
        if visual == "pixels":
            others = partial(controls.with_others_images, seed=1)
            inputs |= {
                "silver, another's image": others(own),
                "silver, no image": controls.without_images(own),
            }
        for name in (T15, T17):
            inputs[f"{name}, text"] = read_folder(setting.data / name, "valid", "none")
        for name, samples in inputs.items():
            measured = measure(tagger, samples, progress, f"{preset}, {name}, seed {seed}")
            found.setdefault(name, []).append(figures(measured))
    known = {"model": preset, "trained on": f"silver, {visual}"}
    return [{**known, "scored on": name, **summary(each)} for name, each in found.items()]


def _checkpoint(
    preset: str, visual: str, folder: Path, setting: Setting, seed: int, progress: Progress
) -> Path:
    out = setting.runs / "silver" / f"{folder.name}.{preset}.{visual}.seed{seed}"
    run = Run(preset, (folder,), visual, vectors=setting.vectors, features=setting.runs / "features")
    trained = changed(PRESETS[preset], **{**without_noise(visual), **setting.overrides, "seed": seed})
    progress.stop()  # training shows progress of its own
    with alone(out / LOCK):
        checkpoint = train_preset(trained, run, setting.device, out)
    progress.start()
    return checkpoint
