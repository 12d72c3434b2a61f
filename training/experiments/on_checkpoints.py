"""Experiments on trained checkpoints: how they use each modality, and what they cost. Nothing is trained here.

Each takes a bench (checkpoints, labelled sets, a seed), writes `figure*.png` to a folder and returns a table.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from rich.progress import Progress

from models.inference.tagger import Tagger
from training.data import controls
from training.data.datasets import Sample, read_folder
from training.evaluation.evaluate import ImageSource
from training.evaluation.measure import EvaluationResult, look_of, measure, prepare, tag_samples
from training.evaluation.scoring import Score
from training.reports import plots
from training.reports.tables import Table, Value, mean_row

Control = Callable[[list[Sample]], list[Sample]]

ALLOWED_LOSS = 0.5
"""F1 that another post's image may cost, compared with no image."""
REPLACED = 0.2
"""Share of hashtags that are replaced with random letters."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
TIMED_POSTS, BATCH = 200, 32
DRAWS = 5
"""Shuffles, or choices of hashtags, that are averaged: a single one varies by up to +-0.4 F1."""


@dataclass(frozen=True)
class Comparison:
    """What is compared: `checkpoints` by label, on the validation files of `folders`.

    visual: none, captions:NAME or pixels (training/data/datasets.py). images: unrelated pictures, or None.
    """

    checkpoints: Mapping[str, Path]
    folders: Sequence[Path]
    out: Path
    visual: str = "captions:blip2"
    images: ImageSource | None = None
    seed: int = 1
    device: str = "auto"

    def taggers(self) -> Iterator[tuple[str, Tagger]]:
        """Each checkpoint's label with its tagger; one tagger is in memory at a time."""
        for label, path in self.checkpoints.items():
            yield label, Tagger.load(path, self.device)

    def sets(self, tagger: Tagger) -> dict[str, list[Sample]]:
        """The labelled sets by name, with their image input; pixels are read by the tagger's own CNN."""
        look = look_of(tagger)
        return {folder.name: read_folder(folder, "valid", self.visual, look) for folder in self.folders}


def modalities(bench: Comparison, progress: Progress) -> Table:
    """F1 of text alone, with image input, with hashtag words, and with both."""
    inputs: dict[str, Sequence[Control]] = {
        "text + image + hashtags": [controls.with_images],
        "text + image": [controls.without_hashtags],
        "text + hashtags": [controls.without_images],
        "text": [lambda samples: controls.without_hashtags(controls.without_images(samples))],
    }
    return _compared(
        bench, progress, "Modalities at inference", inputs, "text",
        ["Modalities are removed from the input only, regardless of what the model was trained on."],
    )  # fmt: skip


def shuffled(bench: Comparison, progress: Progress) -> Table:
    """Control against shortcuts: F1 with another post's image, compared with no image.

    The loss must be at most ALLOWED_LOSS.
    """
    inputs: dict[str, Sequence[Control]] = {
        "own image": [list],
        "another post's image": [
            partial(controls.with_others_images, seed=bench.seed + draw) for draw in range(DRAWS)
        ],
        "no image": [controls.without_images],
    }
    if bench.images:
        inputs["stranger's picture, through the CNN"] = [controls.without_images]
    table = _compared(
        bench, progress, "Own image against another's", inputs, "no image",
        [f"Target: another post's image costs at most {ALLOWED_LOSS} F1 compared with no image."],
        looked_at=frozenset(["stranger's picture, through the CNN"]),
    )  # fmt: skip
    rows = [
        {**row, "holds": "yes" if float(row["against no image"] or 0) >= -ALLOWED_LOSS else "NO"}
        for row in table.rows
    ]
    return replace(table, columns=[*table.columns, "holds"], rows=rows)


def hashtag_noise(bench: Comparison, progress: Progress) -> Table:
    """F1 when a fifth of the hashtags are replaced with random letters."""
    changed = f"{REPLACED:.0%} of hashtags random"
    seeds = range(bench.seed, bench.seed + DRAWS)
    inputs: dict[str, Sequence[Control]] = {
        "as written": [list],
        changed: [partial(controls.with_random_hashtags, share=REPLACED, seed=seed) for seed in seeds],
        "all hashtags random": [
            partial(controls.with_random_hashtags, share=1.0, seed=seed) for seed in seeds
        ],
        "hashtags' words not read": [controls.without_hashtags],
    }
    return _compared(
        bench, progress, "Noise in hashtags", inputs, "as written",
        ["Hashtags are replaced in the text as well. A hashtag that is itself an entity keeps its tag."],
    )  # fmt: skip


def images(bench: Comparison, progress: Progress) -> Table:
    """F1 as a growing share of posts lose their image, or get another post's."""
    rows: list[dict[str, Value]] = []
    series: dict[str, dict[float, float]] = {}
    for label, tagger in bench.taggers():
        for name, samples in bench.sets(tagger).items():
            changes = {
                "missing": controls.without_images(samples),
                "another's": controls.with_others_images(samples, bench.seed),
            }
            for change, changed in changes.items():
                line = series.setdefault(", ".join([*_label(bench, label), name, change]), {})
                for share in SHARES:
                    given = controls.in_share(samples, changed, share, bench.seed)
                    line[100 * share] = measure(tagger, given, progress, f"{name}, {share:.0%} {change}").f1
                rows.append(
                    {"checkpoint": label, "set": name, "image is": change}
                    | {f"{share}%": f1 for share, f1 in ((round(s), f1) for s, f1 in line.items())}
                )
    title = "Missing and mismatched images"
    plots.lines(series, title, "posts whose image is missing or another's, %", bench.out / "figure.png")
    shares = [f"{round(100 * share)}%" for share in SHARES]
    return Table(
        title,
        ["checkpoint", "set", "image is", *shares],
        rows,
        ["F1 by the share of posts that were changed."],
    )


def weights(bench: Comparison, progress: Progress) -> Table:
    """Mean weight of each modality with the post's own image, another post's and none."""
    rows: list[dict[str, Value]] = []
    names: dict[str, None] = {}
    for label, tagger in bench.taggers():
        if not tagger.model.modalities:
            continue
        groups = {}
        for name, samples in bench.sets(tagger).items():
            inputs = {
                "own image": samples,
                "another post's image": controls.with_others_images(samples, bench.seed),
                "no image": controls.without_images(samples),
            }
            for kind, given in inputs.items():
                found = measure(tagger, given, progress, f"{name}, {kind}")
                if found.weights:
                    groups[f"{name}, {kind}"] = found.weights
                rows.append(
                    {"checkpoint": label, "set": name, "input": kind, **found.weights, "F1": found.f1}
                )
        names |= dict.fromkeys(tagger.model.modalities)
        if groups:
            figure = "-".join(["figure", *_label(bench, label)])
            plots.modality_weights(groups, f"Modality weights of {label}", bench.out / f"{figure}.png")
    return Table(
        "Modality weights", ["checkpoint", "set", "input", *names, "F1"], rows,
        ["Mean over the tagged mentions. Models without modality weights are omitted."],
    )  # fmt: skip


def cost(bench: Comparison, progress: Progress) -> Table:
    """Latency, throughput and size compared with F1, on one CPU thread."""
    rows: list[dict[str, Value]] = []
    points = []
    threads = torch.get_num_threads()
    for label, tagger in bench.taggers():
        sets = bench.sets(tagger)
        measured = {name: measure(tagger, samples, progress, name) for name, samples in sets.items()}
        torch.set_num_threads(1)
        alone, together = latency(tagger, next(iter(sets.values()))[:TIMED_POSTS], progress)
        torch.set_num_threads(threads)
        size = sum(p.numel() * p.element_size() for p in tagger.model.parameters()) / 1e6
        stored = sum(file.stat().st_size for file in bench.checkpoints[label].iterdir()) / 1e6
        f1 = {f"F1 {name}": each.f1 for name, each in measured.items()}
        row: dict[str, Value] = {"checkpoint": label, **f1}
        row |= {"ms/post (1)": 1000 * alone, f"posts/s ({BATCH})": 1 / together}
        rows.append({**row, "MB stored": stored, "MB in memory": size})
        points.append(plots.Cost(label, statistics.fmean(f1.values()), 1000 * alone, size))
    plots.f1_against_cost(points, "F1 (mean over sets) and cost", bench.out / "figure.png")
    return Table(
        "Latency and size beside F1", list(rows[0]), rows,
        [
            f"One thread of this machine's CPU: median of {TIMED_POSTS} posts one at a time, and in batches of {BATCH} "
            "posts, from tokens and image words to mentions. Image decoding and the CNN are not included. MB stored is "
            "the size of the checkpoint's folder. MB in memory covers all weights, also a pretrained encoder's."
        ],
    )  # fmt: skip


def latency(tagger: Tagger, samples: Sequence[Sample], progress: Progress) -> tuple[float, float]:
    """Seconds per post: one at a time (median), and in batches of BATCH (mean), after a warm-up."""
    for sample in samples[:5]:
        tagger.tag_prepared([prepare(tagger, sample)])
    seconds = []
    for sample in samples:
        started = time.perf_counter()
        tag_samples(tagger, [sample], progress, batch=1)
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    tag_samples(tagger, samples, progress, batch=BATCH)
    return statistics.median(seconds), (time.perf_counter() - started) / len(samples)


def _compared(
    bench: Comparison,
    progress: Progress,
    title: str,
    inputs: Mapping[str, Sequence[Control]],
    baseline: str,
    notes: Sequence[str],
    looked_at: frozenset[str] = frozenset(),
) -> Table:
    """Every checkpoint on every set with each of `inputs`, against one of them.

    inputs: by kind; where one is drawn at random, as many draws, of which the mean counts. looked_at: the inputs to
    which the bench's pictures are added.
    """
    rows: list[dict[str, Value]] = []
    panels: dict[str, list[plots.Dot]] = {folder.name: [] for folder in bench.folders}
    for label, tagger in bench.taggers():
        for name, samples in bench.sets(tagger).items():
            found = dict[str, list[dict[str, Value]]]()
            for kind, draws in inputs.items():
                about, pictures = f"{name}, {kind}", bench.images if kind in looked_at else None
                drawn = (measure(tagger, control(samples), progress, about, pictures) for control in draws)
                found[kind] = [figures(measured) for measured in drawn]
            known = {"checkpoint": label, "set": name}
            rows += [{**known, **row} for row in _against(baseline, found)]
            panels[name] += [_dot([*_label(bench, label), kind], drawn) for kind, drawn in found.items()]
    plots.dots(panels, title, bench.out / "figure.png")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(title, columns, rows, notes)


def _against(baseline: str, found: Mapping[str, Sequence[dict[str, Value]]]) -> Iterator[dict[str, Value]]:
    """A row for each kind of input: means over its draws, and what F1 is more than that of `baseline`."""
    means = {kind: mean_row(drawn) for kind, drawn in found.items()}
    for kind, mean in means.items():
        f1 = _f1(found[kind])
        spread = f"{min(f1):.2f} to {max(f1):.2f}" if len(f1) > 1 else None
        more = float(mean["F1"] or 0) - float(means[baseline]["F1"] or 0)
        yield {
            "input": kind,
            "draws": len(f1),
            **mean,
            "lowest to highest": spread,
            f"against {baseline}": more,
        }


def _dot(label: Sequence[str], drawn: Sequence[dict[str, Value]]) -> plots.Dot:
    f1 = _f1(drawn)
    return plots.Dot(", ".join(label), statistics.fmean(f1), min(f1), max(f1))


def _f1(drawn: Sequence[dict[str, Value]]) -> list[float]:
    return [float(each["F1"] or 0) for each in drawn]


def figures(measured: EvaluationResult) -> dict[str, Value]:
    """A row's figures: strict precision, recall and F1, partial F1, and strict F1 of each type."""
    partial_f1 = measured.partial["overall"].f1
    return {**overall_figures(measured.strict), "partial F1": partial_f1, **type_figures(measured.strict)}


def overall_figures(scores: Mapping[str, Score]) -> dict[str, Value]:
    """Precision, recall and F1 over all types."""
    overall = scores["overall"]
    return {"precision": overall.precision, "recall": overall.recall, "F1": overall.f1}


def type_figures(scores: Mapping[str, Score]) -> dict[str, Value]:
    """F1 of each type."""
    return {name: each.f1 for name, each in scores.items() if name != "overall"}


def _label(bench: Comparison, label: str) -> list[str]:
    """The checkpoint's label, where there are several to tell apart."""
    return [label] if len(bench.checkpoints) > 1 else []


CHECKPOINT_EXPERIMENTS: dict[str, Callable[[Comparison, Progress], Table]] = {
    "modalities": modalities,
    "shuffled-images": shuffled,
    "hashtag-noise": hashtag_noise,
    "missing-images": images,
    "modality-weights": weights,
    "cost": cost,
}
"""By name; the first line of a function's docstring is its description in `trimod experiment --list`."""
