"""The page of results as Markdown, and its figures: sections out of stored measurements, nothing measured here."""

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
"""Preset (with the run's name, where another run of it differs in more than its seed), sets, visual input."""


SAME = (
    "data", "noise", "renamed", "captioner", "vectors", "vectors_sha256", "started_from", "teachers",
    "trained_parameters",
)  # fmt: skip
"""What runs of one group have in common, beside the key, their recipe and the model's settings."""


WEIGHTS = """With `fusion=cross`, as in both shipped models, the text has read the image's words before it is weighed
(equations 11-12 come last): the weights say what is added at the end, not what an image was worth. That is what the
experiments on modalities measure."""


COMMANDS = """Each run, its checkpoint's id, and the seconds that it trained. A checkpoint that a command names and that
is not in this list was not kept, nor what it scored. `runs/mvsa` is MVSA's posts without their images, tagged by
`trimod label runs/mvsa/posts.jsonl --out runs/mvsa/train.txt` with the checkpoint that shipped then: another
checkpoint, another hash below. `runs/m/NAME` and `runs/c/NAME` are the run NAME as the committee before had it, in four
bits: the weights of such a member are that committee's copy, and its command is the run's own."""


INTRODUCTION = """# Results

Made by `make results` from the JSON files in [training/results](../training/results/); no figure of ours is typed in.
All of ours are on *validation* splits, on which the best epoch was chosen too; the papers' are on *test* splits, which
are not at hand.
Precision, recall and F1 in percent: strict ones need the right borders and the right type, as seqeval's strict mode
counts; the partial F1 beside them is SemEval-2013's, by nervaluate: an overlap counts half, whatever its type. A row
without it is of the training loop, and the others of the checkpoint as it is served. Epochs are those trained; the
best of them counts. There are three seeds where runs took under 20 minutes on average; fewer where they took longer,
and one where the command (below) begins from other runs' checkpoints or is taught by them, as the shipped two were and
their parts: another seed would be another chain of runs.
`captions:NAME` are machine-made words about the posts' real images, not pixels."""


def page(folder: Path, drawn: Path) -> str:
    """The page out of `folder` (`runs/`, `inputs/` and a folder per experiment). Its figures go to the folder `drawn`,
    which is `results/figures` beside it: some are made here, and those that experiments drew are moved there.
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
    """Runs that differ in their seed alone."""
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
    """The model's settings, with the defaults of those that are younger than the run: it was trained as these say."""
    if "config" not in run:
        return {}
    kind, _ = MODELS[run["model"]]
    defaults = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    return {**defaults, **run["config"]}


def _trained_on(run: Run) -> str:
    """The sets that it was scored on, too, and further folders; a committee's members say it in their commands."""
    if "members" in run:
        return "members'"
    folders = {file.partition("/")[0] for file in run["data"]}
    return " + ".join([*run["sets"], *sorted(folders.difference(run["sets"]))])


def _read(paths: Iterable[Path]) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(paths)]


def _strict(run: Run, set_: str) -> Mapping[str, Any]:
    """Strict scores by type: of the checkpoint as it is served if that was measured, else of the training loop."""
    found: Mapping[str, Any] = run["measured"][set_]["strict"] if "measured" in run else run["valid"][set_]
    return found


def _sets(runs: Sequence[Run]) -> list[str]:
    return sorted({set_ for run in runs for set_ in run["sets"]})


def _rows(
    runs: Sequence[Run], set_: str, figures: Callable[[list[Run]], dict[str, Value]]
) -> list[dict[str, Value]]:
    """A row for each group that was scored on the set, with its `figures`."""
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
    lines = ["## Why the papers' figures and ours differ", ""]
    return "\n".join([*lines, *(f"- {PAPERS[paper]}. {WHY[paper]}." for paper in papers)])


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
    lines = [f"![What {title} takes for what](results/figures/confusion-{set_}.png)"]
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
        "`raw` is the text as a worker gets it, cut into tokens anew; strangers' images are random MVSA photos through "
        "the CNN, a control."
    )
    commands = [f"    {report['command']}" for report in reports]
    head = f"## {name} ({reports[0]['model_version']}) by kind of input"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return "\n".join([head, "", about, "", grid(columns, rows), "", "From the data folder:", "", *commands])


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
    """The section on experiments that have no result, so that none is missing without a word; none if all have."""
    done = {path.parent.name for path in experiments}
    left = [f"- `{name}`: {about}" for name, about in listed().items() if name not in done]
    return (
        ["\n".join(["### Not run", "", "`trimod experiment NAME` has these too:", "", *left])] if left else []
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
    """The files of word vectors, each with the command that made it, where that is known."""
    known = {
        (name, origin["sha256"]): origin.get("command") for each in made for name, origin in each.items()
    }
    lines = ["## Word vectors", "", "Each file with its SHA-256, over the command that made it:", ""]
    for (name, sha256), command in sorted(known.items()):
        lines += [f"    # {name}: {sha256}", f"    {command or '# not made here'}"]
    return "\n".join(lines)


def _data(runs: Sequence[Run]) -> str:
    """SHA-256 of the data; a file that was another in another run has a row for each."""
    used = sorted({(file, sha256) for run in runs for file, sha256 in run["data"].items()})
    return "\n".join(
        ["## Data", "", grid(["file", "SHA-256"], [{"file": f, "SHA-256": f"`{s}`"} for f, s in used])]
    )
