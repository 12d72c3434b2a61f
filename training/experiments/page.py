"""The results page as Markdown, and its figures, made from stored measurements; nothing is measured here."""

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import Any

from models.architectures.registry import MODELS
from training.evaluation.confusion import Confusion
from training.experiments.published import PAPERS, SYSTEMS, TYPES, WHY, claim_of_preset
from training.experiments.registry import listed
from training.provenance import Origin
from training.reports import plots
from training.reports.tables import Value, grid

Run = Mapping[str, Any]
Key = tuple[str, str, str]
"""Preset (with the run's name if another run of it differs in more than the seed), sets, visual input."""
SAME = (
    "data", "noise", "renamed", "captioner", "vectors", "vectors_sha256", "started_from", "teachers",
    "trained_parameters",
)  # fmt: skip
"""What runs of one group have in common, besides the key, their recipe and the model's settings."""

WEIGHTS = """With `fusion=cross`, as in both shipped models, image information is mixed into the text before this step
(equations 11-12 come last). These weights show what is added at the end; they do not measure the image's influence. The
experiments on modalities measure that."""

COMMANDS = """Each run with its checkpoint's id and its training time in seconds. A checkpoint that a command names but
this list lacks was not kept, and neither were its scores. `runs/mvsa` holds MVSA's posts without images, tagged by
`trimod label runs/mvsa/posts.jsonl --out runs/mvsa/train.txt` with the checkpoint that was shipped at the time. A
different checkpoint has a different hash below. `runs/m/NAME` and `runs/c/NAME` are the run NAME as stored in the
previous ensemble, in four bits: such a member has the weights of that copy and the command of the run."""

INTRODUCTION = """# Results

This page is made by `make results` from the JSON files in [training/results](../training/results/); none of our figures
is typed in by hand. Our figures are on *validation* splits, which also selected the best epoch. The papers' figures are
on *test* splits, which are not available here.

Precision, recall and F1 are in percent. Strict scores need the right borders and the right type, as in seqeval's strict
mode. The partial F1 beside them is SemEval-2013's, by nervaluate: an overlap counts half, regardless of its type. Rows
without a partial F1 are scores of the training loop; all others are scores of the checkpoint as it is served. "epochs"
is the number trained; the best epoch is the one scored.

Runs that took under 20 minutes on average have three seeds; longer ones have fewer. A run whose command (below) starts
from other runs' checkpoints, or is distilled from them, has one seed: another seed would need another chain of runs.
This applies to the two shipped checkpoints and their members.

`captions:NAME` are machine-made captions of the posts' real images, not pixels."""


def page(folder: Path, drawn: Path) -> str:
    """The page made from `folder` (`runs/`, `inputs/` and a folder per experiment).

    Its figures go to the folder `drawn`, `results/figures` beside the page: some are made here, and those that
    experiments drew are moved there.
    """
    runs = _read(folder.glob("runs/*.json"))
    reports = {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("inputs/*.json"))
    }
    sections = [INTRODUCTION]
    if runs:
        sections += [_models(runs), _types(runs), _differences(runs), _figures(runs, drawn)]
    sections += [_inputs(name, found) for name, found in reports.items()]
    experiments = sorted(folder.glob("*/table.json"))
    if experiments:
        shown = [_experiment(path, drawn / path.parent.name) for path in experiments]
        sections += ["## Experiments", *shown, *_not_run(experiments)]
    if runs:
        sections.append(_commands(runs))
    made = [*(run.get("vectors_from", {}) for run in runs), *map(_vectors_of, experiments)]
    if any(made):
        sections.append(_vectors(made))
    if runs:
        sections.append(_data(runs))
    return "\n\n".join(sections) + "\n"


def grouped(runs: Sequence[Run]) -> dict[Key, list[Run]]:
    """Groups of runs that differ only in their seed."""
    groups: dict[Key, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        recipe = {key: value for key, value in run.get("recipe", {}).items() if key != "seed"}
        known = json.dumps([recipe, _settings(run), *(run.get(key) for key in SAME)], sort_keys=True)
        groups[run["preset"], _trained_on(run), run["visual"]][known].append(run)
    found = {}
    for (preset, sets, visual), settings in groups.items():
        for group in settings.values():
            alone = len(settings) == 1 or group[0]["name"] == preset
            name = preset if alone else f"{preset} ({group[0]['name']})"
            found[name, sets, visual] = group
    return dict(sorted(found.items()))


def _settings(run: Run) -> dict[str, Any]:
    """The model's settings, with defaults for those added after the run: it was trained with these values."""
    if "config" not in run:
        return {}
    kind, _ = MODELS[run["model"]]
    defaults = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    return {**defaults, **run["config"]}


def _trained_on(run: Run) -> str:
    """The sets it was scored on and further folders; for an ensemble, the commands of its members show them."""
    if "members" in run:
        return "members'"
    folders = {file.partition("/")[0] for file in run["data"]}
    return " + ".join([*run["sets"], *sorted(folders.difference(run["sets"]))])


def _read(paths: Iterable[Path]) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(paths)]


def _strict(run: Run, set_: str) -> Mapping[str, Any]:
    """Strict scores by type: of the checkpoint as served if measured, otherwise of the training loop."""
    found: Mapping[str, Any] = run["measured"][set_]["strict"] if "measured" in run else run["valid"][set_]
    return found


def _sets(runs: Sequence[Run]) -> list[str]:
    return sorted({set_ for run in runs for set_ in run["sets"]})


def _rows(
    runs: Sequence[Run], set_: str, figures: Callable[[list[Run]], dict[str, Value]]
) -> list[dict[str, Value]]:
    """A row for each group scored on the set, with its `figures`."""
    return [
        {"model": preset, "trained on": sets, "visual": visual, **figures(group)}
        for (preset, sets, visual), group in grouped(runs).items()
        if set_ in group[0]["sets"]
    ]


def _models(runs: Sequence[Run]) -> str:
    lines = ["## Models"]
    for set_ in _sets(runs):
        rows = _rows(runs, set_, partial(_overall, set_=set_))
        lines += ["", f"### {set_}", "", grid(list(dict.fromkeys(key for row in rows for key in row)), rows)]
    return "\n".join(lines)


def _overall(group: Sequence[Run], set_: str) -> dict[str, Value]:
    """Means over seeds, the spread of F1, and the paper's figure."""
    scores = [_strict(run, set_)["overall"] for run in group]
    f1 = [float(each["f1"]) for each in scores]
    stated = claim_of_preset(group[0]["preset"], set_)
    overlaps = [run["measured"][set_]["partial"]["overall"]["f1"] for run in group if "measured" in run]
    return {
        "seeds": len(group),
        "epochs": max(len(run["epochs"]) for run in group) if "epochs" in group[0] else None,
        "precision": statistics.fmean(each["precision"] for each in scores),
        "recall": statistics.fmean(each["recall"] for each in scores),
        "F1": statistics.fmean(f1),
        "lowest to highest": f"{min(f1):.2f} to {max(f1):.2f}" if len(f1) > 1 else None,
        "partial F1": statistics.fmean(overlaps) if overlaps else None,
        "paper F1 (test)": stated.f1 if stated else None,
    }


def _types(runs: Sequence[Run]) -> str:
    lines = [
        "## By type",
        "",
        "Precision / recall / F1, means over seeds; the paper's F1 (test) in brackets.",
    ]
    for set_ in _sets(runs):
        found = {type_ for run in runs if set_ in run["sets"] for type_ in _strict(run, set_)}
        types = sorted(found - {"overall"}, key=lambda type_: (type_ not in TYPES, type_))
        rows = _rows(runs, set_, partial(_by_type, set_=set_, types=types))
        lines += ["", f"### {set_}", "", grid(["model", "trained on", "visual", *types], rows)]
    return "\n".join(lines)


def _by_type(group: Sequence[Run], set_: str, types: Sequence[str]) -> dict[str, Value]:
    return {type_: _of_type(group, set_, type_) for type_ in types}


def _of_type(group: Sequence[Run], set_: str, type_: str) -> str:
    each = [_strict(run, set_).get(type_, {"precision": 0, "recall": 0, "f1": 0}) for run in group]
    ours = " / ".join(
        f"{statistics.fmean(s[key] for s in each):.1f}" for key in ("precision", "recall", "f1")
    )
    stated = claim_of_preset(group[0]["preset"], set_)
    return f"{ours} ({stated.by_type[type_]:.1f})" if stated and type_ in stated.by_type else ours


def _differences(runs: Sequence[Run]) -> str:
    papers = dict.fromkeys(SYSTEMS[run["preset"]][0] for run in runs if run["preset"] in SYSTEMS)
    lines = ["## Why our figures differ from the papers'", ""]
    return "\n".join([*lines, *(f"- {PAPERS[paper]}. Differences: {WHY[paper]}." for paper in papers)])


def _figures(runs: Sequence[Run], folder: Path) -> str:
    lines = ["## Figures", ""]
    for set_ in _sets(runs):
        trained = [run for run in runs if set_ in run["sets"] and "epochs" in run]
        curves: dict[str, list[dict[int, float]]] = defaultdict(list)
        for run in sorted(trained, key=lambda run: str(run["preset"])):
            curves[run["preset"]].append(_curve(run, set_))
        plots.learning_curves(curves, f"Learning curves, {set_}", folder / f"curves-{set_}.png")
        lines += [f"![Learning curves on {set_}](results/figures/curves-{set_}.png)", ""]
        measured = [run for run in runs if set_ in run["sets"] and "measured" in run]
        if measured:
            best = max(measured, key=lambda run: run["measured"][set_]["strict"]["overall"]["f1"])
            lines += [*_best(best, set_, folder), ""]
    return "\n".join(lines[:-1])


def _best(run: Run, set_: str, folder: Path) -> list[str]:
    """The confusion matrix, and the modality weights if there are any, of the best run on a set."""
    found = run["measured"][set_]
    title = f"{run['name']} on {set_}"
    plots.confusion_matrix(Confusion.of(found["confusion"]), title, folder / f"confusion-{set_}.png")
    lines = [f"![Confusion matrix of {title}](results/figures/confusion-{set_}.png)"]
    if found["weights"]:
        plots.modality_weights({"mean": found["weights"]}, title, folder / f"weights-{set_}.png")
        lines += [f"![Modality weights of {title}](results/figures/weights-{set_}.png)", "", WEIGHTS]
    return lines


def _curve(run: Run, set_: str) -> dict[int, float]:
    return {epoch["epoch"]: epoch["f1"][set_] for epoch in run["epochs"]}


def _inputs(name: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """A checkpoint with each kind of input."""
    rows = []
    for report in reports:
        scores = report["scores"]
        overall = {key: scores["overall"][key] for key in ("precision", "recall")}
        by_type = {type_: each["f1"] for type_, each in scores.items() if type_ != "overall"}
        rows.append(
            {"set": report["set"], "input": report["input"], **overall, "F1": report["f1"], **by_type}
        )
    about = (
        "`raw` is the text as a worker receives it, tokenized again. Strangers' images are random MVSA photos read by "
        "the CNN, as a control."
    )
    commands = [f"    {report['command']}" for report in reports]
    head = f"## {name} ({reports[0]['model_version']}) by kind of input"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return "\n".join([head, "", about, "", grid(columns, rows), "", "Run in the data folder:", "", *commands])


def _experiment(path: Path, drawn: Path) -> str:
    """An experiment's stored table, its notes, its command and its figures, which are moved to the folder `drawn`."""
    found = json.loads(path.read_text("utf-8"))
    lines = [f"### {found['title']}", "", grid(found["columns"], found["rows"])]
    for note in found["notes"]:
        lines += ["", note]
    for figure in path.parent.glob("figure*.png"):
        drawn.mkdir(parents=True, exist_ok=True)
        figure.replace(drawn / figure.name)
    for figure in sorted(drawn.glob("figure*.png")):
        lines += ["", f"![{found['title']}](results/figures/{drawn.name}/{figure.name})"]
    if ids := found["facts"].get("checkpoints"):
        named = ", ".join(f"{label} is {checkpoint}" for label, checkpoint in ids.items())
        lines += ["", f"Checkpoints: {named}."]
    return "\n".join([*lines, "", f"    {found['facts']['command']}"])


def _not_run(experiments: Sequence[Path]) -> list[str]:
    """The section that lists experiments without a result; empty if all have one."""
    done = {path.parent.name for path in experiments}
    left = [f"- `{name}`: {about}" for name, about in listed().items() if name not in done]
    return (
        ["\n".join(["### Not run", "", "`trimod experiment NAME` can also run these:", "", *left])]
        if left
        else []
    )


def _commands(runs: Sequence[Run]) -> str:
    lines = ["## Commands", "", COMMANDS, ""]
    for run in runs:
        if "members" in run:
            lines.append(f"    # {run['name']}: {run['checkpoint']}, of trained members")
            lines += [f"    # {each['checkpoint']}: {each['command']}" for each in run["members"]]
        else:
            epochs = f"epoch {run['epoch']} of {len(run['epochs'])}"
            lines.append(f"    # {run['name']}: {run['checkpoint']}, {run['seconds']:.0f} s, {epochs}")
        lines.append(f"    {run['command']}")
    return "\n".join(lines)


def _vectors_of(table: Path) -> Mapping[str, Origin]:
    found: dict[str, Origin] = json.loads(table.read_text("utf-8"))["facts"].get("vectors", {})
    return found


def _vectors(made: Iterable[Mapping[str, Origin]]) -> str:
    """The files of word vectors, each with the command that made it, if known."""
    known = {
        (name, origin["sha256"]): origin.get("command") for each in made for name, origin in each.items()
    }
    lines = ["## Word vectors", "", "Each file with its SHA-256, and below it the command that made it:", ""]
    for (name, sha256), command in sorted(known.items()):
        lines += [f"    # {name}: {sha256}", f"    {command or '# not made here'}"]
    return "\n".join(lines)


def _data(runs: Sequence[Run]) -> str:
    """SHA-256 of the data; a file that differs between runs has a row for each version."""
    used = sorted({(file, sha256) for run in runs for file, sha256 in run["data"].items()})
    return "\n".join(
        ["## Data", "", grid(["file", "SHA-256"], [{"file": f, "SHA-256": f"`{s}`"} for f, s in used])]
    )
