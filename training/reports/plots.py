"""Plots of results as small PNGs: the same bytes for the same data, in colours safe for the colour-blind.

Drawn on matplotlib's Figure directly, without pyplot: no state and no display.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from training.evaluation.confusion import MISSED, SPURIOUS, Confusion

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito's palette."""
MARKERS = "osD^vPX*"
PAPER: Mapping[str, Any] = {"marker": "D", "linestyle": "", "color": COLOURS[1], "markeredgecolor": "black"}
"""Style of a paper's figure."""
DPI = 80


@dataclass(frozen=True)
class Dot:
    """One figure, with its range over seeds (`low`, `high`) and the paper's figure."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    paper: float | None = None


@dataclass(frozen=True)
class Cost:
    """A checkpoint's F1 and its cost: milliseconds per post, and megabytes."""

    label: str
    f1: float
    milliseconds: float
    megabytes: float


def save(figure: Figure, path: Path) -> None:
    """Write the PNG without version and date, so that it is reproducible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def dots(panels: Mapping[str, Sequence[Dot]], title: str, path: Path, axis: str = "F1 (valid), %") -> None:
    """One panel per set, one line per label with the first on top; a diamond marks the paper's figure."""
    rows = max(map(len, panels.values()))
    figure = Figure(figsize=(2.6 + 3.4 * len(panels), 1.4 + 0.36 * rows), layout="constrained")
    figure.suptitle(title, fontsize=11)
    for place, (name, drawn) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), place + 1)
        _dots(axes, drawn)
        if place and [dot.label for dot in drawn] == [dot.label for dot in next(iter(panels.values()))]:
            axes.set_yticklabels([])  # the first panel's stand for all
        axes.set_title(name, fontsize=10)
        axes.set_xlabel(axis)
    if any(dot.paper is not None for drawn in panels.values() for dot in drawn):
        # Beside the panels: within one it covers figures.
        figure.legend([Line2D([], [], **PAPER)], ["paper (test)"], loc="outside lower center", fontsize=8)
    save(figure, path)


def _dots(axes: Axes, drawn: Sequence[Dot]) -> None:
    for height, dot in enumerate(drawn):
        if dot.low is not None and dot.high is not None:
            axes.plot([dot.low, dot.high], [height, height], color=COLOURS[0], linewidth=2)
        if dot.paper is not None:
            axes.plot([dot.paper], [height], **PAPER)
        axes.plot([dot.value], [height], marker="o", linestyle="", color=COLOURS[0])
        axes.annotate(
            f"{dot.value:.1f}",
            (dot.value, height),
            (0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    figures = [v for dot in drawn for v in (dot.value, dot.low, dot.high, dot.paper) if v is not None]
    around = max(0.5, 0.15 * (max(figures) - min(figures)))
    axes.set_xlim(min(figures) - around, max(figures) + around)
    axes.set_yticks(range(len(drawn)), [dot.label for dot in drawn])
    axes.set_ylim(len(drawn) - 0.5, -0.7)
    axes.grid(alpha=0.3)


def lines(
    series: Mapping[str, Mapping[float, float]], title: str, x: str, path: Path, y: str = "F1 (valid), %"
) -> None:
    """One line per name, with its own colour and marker."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, points) in enumerate(series.items()):
        axes.plot(
            list(points), list(points.values()), label=name,
            color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)], markersize=5,
        )  # fmt: skip
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    low, high = axes.get_ylim()
    if high - low < 1:  # otherwise the axis would exaggerate a hundredth
        axes.set_ylim((low + high - 1) / 2, (low + high + 1) / 2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, path)


def learning_curves(models: Mapping[str, Sequence[Mapping[int, float]]], title: str, path: Path) -> None:
    """F1 on a validation set after each epoch: one panel per model with its own scale, one line per run."""
    columns = min(4, len(models))
    rows = -(-len(models) // columns)
    figure = Figure(figsize=(1 + 2.3 * columns, 1 + 1.7 * rows), layout="constrained")
    figure.suptitle(title, fontsize=11)
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("F1 (valid), %", fontsize=9)
    panels = list(figure.subplots(rows, columns, sharex=True, squeeze=False).flat)
    for axes, (name, runs) in zip(panels, models.items(), strict=False):
        for number, run in enumerate(runs):
            axes.plot(list(run), list(run.values()), marker=".", color=COLOURS[number % len(COLOURS)])
        axes.set_title(name, fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    for axes in panels[len(models) :]:
        axes.set_axis_off()
    save(figure, path)


def confusion_matrix(matrix: Confusion, title: str, path: Path) -> None:
    """Shares of each gold type (rows) by predicted type (columns), with the counts in the cells."""
    rows, columns = (*matrix.types, SPURIOUS), (*matrix.types, MISSED)
    shares = [[count / max(1, sum(row)) for count in row] for row in matrix.counts]
    size = 0.8 * len(rows)
    figure = Figure(figsize=(2.0 + size, 1.4 + size), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for r, row in enumerate(matrix.counts):
        for c, count in enumerate(row):
            corner = r == c == len(matrix.types)
            colour = "black" if shares[r][c] > 0.55 else "white"
            axes.text(c, r, "" if corner else str(count), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel("predicted type")
    axes.set_ylabel("gold type")
    axes.set_title(title, fontsize=11)
    save(figure, path)


def modality_weights(groups: Mapping[str, Mapping[str, float]], title: str, path: Path) -> None:
    """Bars of each modality's mean weight, grouped by kind of input."""
    modalities = list(next(iter(groups.values())))
    figure = Figure(figsize=(4.0 + 0.9 * len(groups), 3.8), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(groups)
    for place, (name, weights) in enumerate(groups.items()):
        where = [index + (place - (len(groups) - 1) / 2) * width for index in range(len(modalities))]
        drawn = axes.bar(
            where, [weights[m] for m in modalities], width * 0.95, label=name, color=COLOURS[place % 8]
        )
        axes.bar_label(drawn, fmt="%.2f", fontsize=7)
    axes.set_xticks(range(len(modalities)), modalities)
    axes.set_ylabel("mean weight over tagged mentions")
    axes.set_ylim(0, 1)
    axes.set_title(title, fontsize=11)
    axes.legend(fontsize=8)
    save(figure, path)


def f1_against_cost(points: Sequence[Cost], title: str, path: Path) -> None:
    """F1 against milliseconds per post, and against megabytes; upper left is better."""
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    figure.suptitle(title, fontsize=11)
    left, right = figure.subplots(1, 2, sharey=True)
    for place, point in enumerate(points):
        style = {"marker": MARKERS[place % len(MARKERS)], "color": COLOURS[place % len(COLOURS)], "s": 70}
        left.scatter(point.milliseconds, point.f1, label=point.label, **style)
        right.scatter(point.megabytes, point.f1, **style)
    left.set_xlabel("milliseconds per post, alone, one thread")
    right.set_xlabel("megabytes in memory")
    left.set_ylabel("F1 (valid), %")
    for axes in (left, right):
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    save(figure, path)
