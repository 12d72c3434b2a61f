"""Measures a checkpoint on the validation sets and writes training/RESULTS.md, figures and commands both.

`python -m training.results CHECKPOINT DATA` runs `trimod evaluate` for each set and each kind of input; nothing in the
page is typed in. DATA holds twitter2015/ and twitter2017/, and mvsa/images for the control with strangers' images.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

SETS = ("twitter2015", "twitter2017")
OUT = Path(__file__).parent / "RESULTS.md"
TYPES = ("PER", "LOC", "ORG", "MISC")


@dataclass(frozen=True)
class Input:
    """A kind of input, and the options of `trimod evaluate` that give it; `{}` stands for the set's name."""

    name: str
    options: tuple[str, ...] = ()


INPUTS = (
    Input("captions (BLIP-2)", ("--captions", "{}/captions.blip2.json")),
    Input("captions (CATR)", ("--captions", "{}/captions.catr.json")),
    Input("text only"),
    Input("text only, raw", ("--raw",)),
    Input("captions (BLIP-2), raw", ("--captions", "{}/captions.blip2.json", "--raw")),
    Input("strangers' images, raw", ("--images", "mvsa/images", "--random-images", "1", "--raw")),
)


def measure(checkpoint: Path, data: Path, set_: str, kind: Input) -> dict[str, Any]:
    """The report of one `trimod evaluate`, with its `command` as a person would type it."""
    options = [option.format(set_) for option in kind.options]
    typed = ["trimod", "evaluate", str(checkpoint), "--data", f"{set_}/valid.txt", *options]
    run = [sys.executable, "-m", "stream", *typed[1:3], "--data", str(data / set_ / "valid.txt"), "--json"]
    run += [str(data / option) if "/" in option else option for option in options]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    return {"command": " ".join(typed), **json.loads(done.stdout)}


def page(reports: dict[tuple[str, str], dict[str, Any]]) -> str:
    """The Markdown page: a row per set and input, then the commands."""
    version = next(iter(reports.values()))["model_version"]
    lines = [
        "# Results",
        "",
        f"Model `{version}`. Made by `make results DATA=...`; exact spans, precision, recall and F1 in percent, as",
        "seqeval's strict mode counts. Validation sets, on which the epoch was chosen too. Captions are machine-made",
        "words about the real images, not pixels; strangers' images are random MVSA photos through the CNN, a control.",
        "",
        "| set | input | precision | recall | F1 | " + " | ".join(TYPES) + " |",
        "| --- | --- |" + " --- |" * (3 + len(TYPES)),
    ]
    for (set_, kind), report in reports.items():
        scores = report["scores"]
        overall = scores["overall"]
        figures = [
            overall["precision"],
            overall["recall"],
            overall["f1"],
            *(scores[type_]["f1"] for type_ in TYPES),
        ]
        lines.append(f"| {set_} | {kind} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    commands = [f"    {report['command']}" for report in reports.values()]
    return "\n".join([*lines, "", "From the data folder:", "", *commands, ""])


def main(checkpoint: Path, data: Path) -> None:
    """Measure everything, say each figure as it comes, write the page."""
    console = Console(stderr=True)
    reports = {}
    for set_ in SETS:
        for kind in INPUTS:
            reports[set_, kind.name] = measure(checkpoint, data, set_, kind)
            console.print(f"{set_}, {kind.name}: F1 {reports[set_, kind.name]['f1']:.2f}")
    OUT.write_text(page(reports), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m training.results CHECKPOINT DATA")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
