"""Small JSON files of measurements, kept in the repository: the only source of our figures in docs/results.md.

`training/results/runs/` has a file per training run. It holds the checkpoint's metrics.json and, if the data is
available, the scores through `Tagger` (strict, partial, confusion matrix, modality weights). `training/results/inputs/`
has a file per shipped checkpoint: `trimod evaluate` with each kind of input, and the command as a person would type it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from training.engine.progress import TrainingProgress
from training.errors import DataError
from training.provenance import portable
from training.reports.tables import RESULTS

RUNS, INPUTS = RESULTS / "runs", RESULTS / "inputs"
KEPT = (
    "preset", "data", "visual", "recipe", "noise", "renamed", "segmenter", "captioner", "vectors",
    "vectors_sha256", "vectors_from", "started_from", "teachers", "valid", "epoch", "epochs", "seconds",
    "parameters", "trained_parameters", "members", "command",
)  # fmt: skip
"""The keys of metrics.json (written by training/runs/train.py) that are kept."""


@dataclass(frozen=True)
class Input:
    """A kind of input, and its options for `trimod evaluate`; `{}` is replaced with the set's name."""

    name: str
    options: tuple[str, ...] = ()


KINDS = (
    Input("captions (BLIP-2)", ("--captions", "{}/captions.blip2.json")),
    Input("captions (CATR)", ("--captions", "{}/captions.catr.json")),
    Input("text only"),
    Input("text only, raw", ("--raw",)),
    Input("captions (BLIP-2), raw", ("--captions", "{}/captions.blip2.json", "--raw")),
    Input("strangers' images, raw", ("--images", "mvsa/images", "--random-images", "1", "--raw")),
)
SETS = ("twitter2015", "twitter2017")


def checkpoint_of(path: Path) -> Path:
    """The checkpoint in a run's folder, or the given checkpoint itself."""
    return path / "checkpoint" if (path / "checkpoint").is_dir() else path


def name_of(path: Path) -> str:
    """The name of a run's (or checkpoint's) file."""
    return path.parent.name if path.name == "checkpoint" else path.name


def collect(path: Path, data: Path | None, device: str = "auto") -> dict[str, Any]:
    """The measurements to keep of the run in `path`; with `data` (the sets' folder), also scores on its own sets.

    Raises CheckpointError or DataError.
    """
    from models.checkpoints.format import load_checkpoint

    stored = load_checkpoint(checkpoint_of(path))
    kept = {key: stored.metrics[key] for key in KEPT if key in stored.metrics}
    if "preset" not in kept or "visual" not in kept:
        raise DataError(f"{path}: metrics.json lacks the preset or the visual input")
    if "command" in kept:
        kept["command"] = portable(kept["command"])
    found = {
        "name": name_of(path),
        "checkpoint": stored.id,
        "model": stored.config["model"],
        "text_encoder": stored.config[stored.config["model"]].get("text_encoder", ""),
        "config": {k: v for k, v in stored.config[stored.config["model"]].items() if k != "labels"},
        "sets": sorted(name for name in kept["valid"] if not name.endswith(" text only")),
        "seed": kept.get("recipe", {}).get("seed"),
        **kept,
    }
    return found | ({"measured": _measured(path, found, data, device)} if data else {})


def _measured(path: Path, found: Mapping[str, Any], data: Path, device: str) -> dict[str, Any]:
    from models.inference.tagger import Tagger
    from training.data.datasets import read_folder
    from training.evaluation.measure import look_of, measure

    tagger, scores = Tagger.load(checkpoint_of(path), device), {}
    with TrainingProgress(transient=True) as progress:
        for name in found["sets"]:
            samples = read_folder(data / name, "valid", found["visual"], look_of(tagger))
            scores[name] = measure(tagger, samples, progress, f"{found['name']}, {name}").plain()
    return scores


def inputs(checkpoint: Path, data: Path) -> list[dict[str, Any]]:
    """The reports of `trimod evaluate` for each set and each kind of input, each with its `command`."""
    console = Console(stderr=True)
    reports = []
    for name in SETS:
        for kind in KINDS:
            report = _evaluated(checkpoint, data, name, kind)
            console.print(f"{name}, {kind.name}: F1 {report['f1']:.2f}")
            reports.append({"set": name, "input": kind.name, **report})
    return reports


def _evaluated(checkpoint: Path, data: Path, name: str, kind: Input) -> dict[str, Any]:
    options = [option.format(name) for option in kind.options]
    typed = ["trimod", "evaluate", str(checkpoint), "--data", f"{name}/valid.txt", *options]
    run = [sys.executable, "-m", "stream", *typed[1:3], "--data", str(data / name / "valid.txt"), "--json"]
    run += [str(data / option) if "/" in option else option for option in options]
    done = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True)
    report = json.loads(done.stdout)
    return {key: report[key] for key in ("model_version", "f1", "posts", "scores")} | {
        "command": " ".join(typed)
    }


def store(found: object, path: Path) -> None:
    """Write JSON to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
