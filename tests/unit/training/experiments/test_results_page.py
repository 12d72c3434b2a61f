"""The page is made of stored JSON alone; what is stored comes from a checkpoint's own metrics."""

import json
import re
import shutil
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from models.architectures.cwi import CWIConfig
from models.checkpoints.format import load_checkpoint, save_checkpoint
from models.core.errors import TrimodError
from tests.support.tiny_checkpoint import tiny_checkpoint
from training.cli import results
from training.experiments import collect as collecting
from training.experiments.page import grouped
from training.experiments.page import page as made_page
from training.reports.tables import RESULTS, Table

SCORES = {"precision": 70.0, "recall": 72.0, "support": 9}


def run(seed: int, f1: float, **changed: Any) -> dict[str, Any]:
    scores = {"overall": {**SCORES, "f1": f1}, "PER": {**SCORES, "f1": 81.0}}
    return {
        "name": f"cwi-{seed}", "checkpoint": "abcd1234", "preset": "cwi", "model": "cwi", "visual": "captions:blip2",
        "sets": ["twitter2015"], "seed": seed, "valid": {"twitter2015": scores}, "epoch": 2, "seconds": 60.0,
        "epochs": [{"epoch": n, "f1": {"twitter2015": 50.0 + n}} for n in (1, 2)],
        "command": f"trimod train cwi --seed {seed}", "data": {"twitter2015/train.txt": "12ab"}, **changed,
    }  # fmt: skip


def measured(f1: float) -> dict[str, Any]:
    strict = {"overall": {**SCORES, "f1": f1}, "PER": {**SCORES, "f1": 82.0}}
    partial = {"overall": {**SCORES, "f1": 79.25}}
    matrix = {"types": ["PER"], "counts": [[5, 1], [2, 0]]}
    weights = {"text": 0.75, "image": 0.25}
    return {"strict": strict, "partial": partial, "confusion": matrix, "weights": weights}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    collecting.store(run(1, 70.0), tmp_path / "runs" / "cwi-1.json")
    collecting.store(run(2, 71.0), tmp_path / "runs" / "cwi-2.json")
    alone = run(1, 60.0, name="none-1", visual="none", measured={"twitter2015": measured(61.5)})
    collecting.store(alone, tmp_path / "runs" / "none-1.json")
    report = {
        "set": "twitter2015",
        "input": "text only",
        "model_version": "0.1",
        "f1": 73.21,
        "command": "trimod x",
    }
    report["scores"] = {"overall": {**SCORES, "f1": 73.21}, "LOC": {**SCORES, "f1": 80.04}}
    collecting.store([report], tmp_path / "inputs" / "trimod.json")
    facts = {"command": "trimod experiment cost", "data": {}, "vectors": {"glove.txt": {"sha256": "34cd"}}}
    Table("Cost", ["a"], [{"a": 1.239}], ["A note."], facts).write(tmp_path / "cost")
    (tmp_path / "cost" / "figure.png").touch()
    return tmp_path


def page(folder: Path) -> str:
    """The page, whose figures are in `folder`."""
    return made_page(folder, folder / "figures")


def test_the_page_has_means_over_seeds_beside_the_papers_figure(folder: Path) -> None:
    rows = [line for line in page(folder).splitlines() if line.startswith("| cwi | twitter2015")]
    assert rows[:2] == [
        "| cwi | twitter2015 | captions:blip2 | 2 | 2 | 70.00 | 72.00 | 70.50 | 70.00 to 71.00 |  | 71.61 |",
        "| cwi | twitter2015 | none | 1 | 2 | 70.00 | 72.00 | 61.50 |  | 79.25 | 71.61 |",
    ]
    assert "| cwi | twitter2015 | none | 70.0 / 72.0 / 82.0 (85.8) |" == rows[3]


def test_the_page_has_everything_that_was_kept(folder: Path) -> None:
    made = page(folder)
    for expected in (
        "trimod train cwi --seed 2", "`12ab`", "| twitter2015 | text only | 70.00 | 72.00 | 73.21 | 80.04 |",
        "| 1.24 |", "A note.", "    trimod experiment cost", "results/figures/cost/figure.png", "InceptionV3",
        "    # glove.txt: 34cd\n    # not made here",
    ):  # fmt: skip
        assert expected in made


def test_experiments_without_a_result_are_named(folder: Path) -> None:
    """Else a paper's table could be missing, and nobody would notice."""
    made = page(folder)
    assert "- `hamlearning-table-6`: Two detectors (HamLearning, Table 6)" in made
    assert "- `cost`:" not in made


def test_the_checkpoints_of_an_experiment_are_named(folder: Path) -> None:
    """A table of a checkpoint that has been replaced since can be told by its id."""
    facts = {"command": "trimod experiment modalities", "data": {}, "checkpoints": {"trimod": "ab12"}}
    Table("Modalities", ["a"], [{"a": 1.0}], [], facts).write(folder / "modalities")
    assert "Checkpoints: trimod is ab12." in page(folder)


def test_a_committee_was_not_trained_but_its_members_were(folder: Path) -> None:
    both = run(
        1,
        72.0,
        name="both",
        preset="committee",
        members=[{"checkpoint": "ef56", "command": "trimod train a"}],
    )
    left = {key: value for key, value in both.items() if key not in ("epoch", "epochs", "seconds", "seed")}
    collecting.store(left, folder / "runs" / "both.json")
    made = page(folder)
    assert "| committee | members' | captions:blip2 | 1 |  | 70.00 | 72.00 | 72.00 |  |  | 80.00 |" in made
    assert (
        "    # both: abcd1234, of trained members\n    # ef56: trimod train a\n    trimod train cwi" in made
    )


def test_the_page_in_the_repository_is_made_of_the_files_beside_it(tmp_path: Path) -> None:
    """In a fresh clone, too: what is shown and not kept could be made by nobody else."""
    kept = shutil.copytree(RESULTS, tmp_path / "results")
    drawn = shutil.copytree(results.OUT.parent / "results" / "figures", tmp_path / "figures")
    assert results.OUT.read_text(encoding="utf-8") == made_page(kept, drawn)


def test_short_runs_have_three_seeds() -> None:
    """The page says so, and why others have fewer."""
    runs = [json.loads(path.read_text("utf-8")) for path in (RESULTS / "runs").glob("*.json")]
    groups = grouped([run for run in runs if "members" not in run])
    few = [group for group in groups.values() if len(group) < 3]
    alone = [group for group in few if not re.search("--(start-from|teacher) ", group[0]["command"])]
    assert few
    assert [] == [
        group[0]["name"] for group in alone if statistics.fmean(run["seconds"] for run in group) < 20 * 60
    ]


def test_the_readme_says_what_was_measured() -> None:
    """Its figures were typed in, one of them wrongly rounded."""
    table = json.loads((RESULTS / "shuffled-images" / "table.json").read_text("utf-8"))
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in table["rows"]:
        found[row["checkpoint"], row["input"]].append(f"{row['F1']:.1f}")
    said = [
        " and ".join(found[name, image])
        for image in ("own image", "no image")
        for name in ("trimod-accurate", "trimod")
    ]
    own, own_of_first, none, none_of_first = said
    readme = " ".join((RESULTS.parents[1] / "README.md").read_text("utf-8").split())
    assert f"{own} F1 on the validation sets of Twitter-2015 and -2017" in readme
    assert f"where the first has {own_of_first}; without images {none}, and {none_of_first})" in readme


def test_every_figure_that_the_page_shows_is_there(folder: Path) -> None:
    for line in page(folder).splitlines():
        if line.startswith("!["):
            link = line[line.index("(results/") + len("(results/") : -1]
            assert (folder / link).is_file(), line
    assert {"curves-twitter2015.png", "confusion-twitter2015.png", "weights-twitter2015.png"} == {
        path.name for path in (folder / "figures").glob("*.png")
    }


def test_what_an_experiment_drew_is_moved_beside_the_page(folder: Path) -> None:
    """Drawn anew, it takes the old one's place; there are never two."""
    page(folder)
    (folder / "cost" / "figure.png").write_bytes(b"drawn anew")
    assert "](results/figures/cost/figure.png)" in page(folder)
    assert b"drawn anew" == (folder / "figures" / "cost" / "figure.png").read_bytes()
    assert not (folder / "cost" / "figure.png").exists()


def test_the_page_is_the_same_each_time(folder: Path) -> None:
    assert page(folder) == page(folder)


def test_without_any_run_the_page_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "RUNS", tmp_path)
    monkeypatch.setattr(results, "OUT", tmp_path / "RESULTS.md")
    done = CliRunner().invoke(results.main, ["page"])
    assert (1, f"Error: {tmp_path}: no stored runs; run `collect` first") == (
        done.exit_code, done.output.strip(),
    )  # fmt: skip
    assert not results.OUT.exists()


def test_what_was_not_run_is_not_on_the_page(tmp_path: Path) -> None:
    assert "##" not in page(tmp_path)


def test_runs_are_one_group_if_only_their_seed_differs() -> None:
    found = grouped([run(1, 70.0), run(2, 71.0), run(1, 70.0, visual="none"), run(1, 7.0, sets=["a", "b"])])
    assert [1, 2, 1] == [len(group) for group in found.values()]
    more = run(1, 70.0, data={"twitter2015/train.txt": "1", "mvsa/train.txt": "2"})
    assert ["twitter2015 + mvsa"] == [trained_on for _, trained_on, _ in grouped([more])]


def test_a_setting_younger_than_a_run_does_not_part_it_from_its_other_seeds() -> None:
    """Its configuration lacks the setting; it was trained as the default says."""
    found = grouped([run(1, 70.0, config={}), run(2, 71.0, config={"dropout": CWIConfig.dropout})])
    assert [2] == [len(group) for group in found.values()]


def test_runs_that_differ_in_a_setting_are_told_apart_by_name() -> None:
    """The mean of a student's and its teacher's F1 would say nothing of either."""
    taught = run(1, 75.0, name="student", teachers=[["", "ab12"]], recipe={"seed": 1})
    found = grouped([run(1, 70.0, recipe={"seed": 1}), run(2, 71.0, recipe={"seed": 2}), taught])
    assert {"cwi (cwi-1)": 2, "cwi (student)": 1} == {key[0]: len(group) for key, group in found.items()}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A run's folder: a tiny checkpoint with metrics as training/run.py writes them."""
    folder = tmp_path / "run-1"
    stored = load_checkpoint(tiny_checkpoint(folder / "checkpoint"))
    found = run(1, 70.0)
    metrics = {
        key: found[key]
        for key in ("preset", "visual", "valid", "epoch", "epochs", "seconds", "command", "data")
    }
    metrics["valid"]["twitter2015 text only"] = metrics["valid"]["twitter2015"]
    save_checkpoint(folder / "checkpoint", stored.config, {**metrics, "recipe": {"seed": 4}}, stored.tensors)
    return folder


def test_a_run_is_collected_and_scored_as_it_is_served(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data" / "twitter2015"
    data.mkdir(parents=True)
    (data / "valid.txt").write_text("IMGID:1\nToronto\tB-ORG\nLeafs\tI-ORG\nwon\tO\n")
    (data / "captions.blip2.json").write_text('{"1": "a hockey player"}')
    monkeypatch.setattr(collecting, "RUNS", tmp_path / "kept" / "runs")
    monkeypatch.setattr(results, "RESULTS", tmp_path / "kept")
    monkeypatch.setattr(results, "OUT", tmp_path / "RESULTS.md")
    arguments = ["collect", str(checkpoint), "--data", str(data.parent), "--device", "cpu"]
    done = CliRunner().invoke(results.main, arguments, catch_exceptions=False)
    assert 0 == done.exit_code, done.output
    kept = json.loads((tmp_path / "kept" / "runs" / "run-1.json").read_text())
    assert (["twitter2015"], 4, "trimod") == (kept["sets"], kept["seed"], kept["model"])
    assert {"strict", "partial", "confusion", "weights"} == set(kept["measured"]["twitter2015"])
    assert 1 == kept["measured"]["twitter2015"]["strict"]["overall"]["support"]
    CliRunner().invoke(results.main, ["page"], catch_exceptions=False)
    assert "| cwi | twitter2015 |" in (tmp_path / "RESULTS.md").read_text()


def test_a_checkpoint_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrimodError, match="lacks the preset"):
        collecting.collect(tiny_checkpoint(tmp_path / "tiny"), None)


def test_a_kept_command_names_no_folder_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = f"trimod train cwi --data {tmp_path.parent}/shared/data --out '{tmp_path}/my runs/cwi' --seed 2"

    assert "trimod train cwi --data ../shared/data --out 'my runs/cwi' --seed 2" == collecting.portable(typed)
