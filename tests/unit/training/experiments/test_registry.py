"""Experiments on a tiny untrained checkpoint and with tiny trainings: the real paths, from command to files."""

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from models.architectures.trimod import TriModConfig
from models.checkpoints.format import load_checkpoint
from models.hashtags.segmenter import Segmenter, SegmenterConfig
from models.inference.tagger import Tagger
from tests.support.tiny_checkpoint import tiny_checkpoint
from training.cli.experiment import experiment
from training.engine.optimization import Recipe
from training.errors import DataError
from training.experiments import published as papers
from training.experiments import registry as experiments
from training.experiments import with_training as trained_experiments
from training.experiments.on_checkpoints import CHECKPOINT_EXPERIMENTS, DRAWS
from training.experiments.specs import TRAINED_EXPERIMENTS, Row, TrainedExperiment, Trial
from training.experiments.with_training import Setting, preset_of, run_folder, summary
from training.runs.presets import PRESETS, QUIET, Preset
from training.word_vectors.files import write_vectors

POSTS = "".join(
    f"IMGID:{n}\nToronto\tB-ORG\nLeafs\tI-ORG\nwon\tO\nin\tO\n#Riga{n}\tB-LOC\n\nIMGID:1{n}\na\tO\nplayer\tB-PER\n\n"
    for n in range(4)
)
TINY = Preset(
    "tiny", "trimod", Recipe(epochs=1, batch_size=4),
    {"word_size": 8, "character_size": 4, "character_hidden": 4, "word_hidden": 6, "dropout": 0.1}, QUIET,
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("twitter2015", "twitter2017"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for split in ("train", "valid"):
            (folder / f"{split}.txt").write_text(POSTS)
        captions = {f"{n}": f"a hockey player number {n}" for n in range(4)}
        (folder / "captions.blip2.json").write_text(json.dumps(captions))
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def _loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a checkpoint and its CNN is what costs time here, and other tests' business."""
    monkeypatch.setattr(Tagger, "load", LOADED)


LOADED = functools.cache(Tagger.load)


def run(arguments: list[str]) -> str:
    result = CliRunner().invoke(experiment, arguments, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return result.stdout


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


def rows_of(out: Path) -> list[Mapping[str, Any]]:
    return list(json.loads((out / "table.json").read_text())["rows"])


@pytest.mark.parametrize("name", CHECKPOINT_EXPERIMENTS)
def test_an_experiment_on_a_checkpoint_writes_a_table_and_a_figure(
    name: str, checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "result"
    printed = run([name, str(checkpoint), "--data", str(data), "--out", str(out), "--device", "cpu"])
    table = json.loads((out / "table.json").read_text())
    assert (out / "table.md").read_text() == printed.removesuffix("\n")
    assert "twitter2015/valid.txt" in table["facts"]["data"]
    assert {"tiny": load_checkpoint(checkpoint).id} == table["facts"]["checkpoints"]
    assert all(set(row) <= set(table["columns"]) for row in table["rows"])
    [figure] = out.glob("figure*.png")
    assert 1_000 < figure.stat().st_size < 60_000


def test_two_checkpoints_stand_side_by_side(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    other, out = tiny_checkpoint(tmp_path / "other", seed=3), tmp_path / "result"
    run(
        [
            "modalities",
            str(checkpoint),
            str(other),
            "--data",
            str(data),
            "--set",
            "twitter2015",
            "--out",
            str(out),
        ]
    )
    assert ["tiny"] * 4 + ["other"] * 4 == [row["checkpoint"] for row in rows_of(out)]


def test_the_list_names_every_experiment() -> None:
    listed = run(["--list"])
    for name in (*CHECKPOINT_EXPERIMENTS, *TRAINED_EXPERIMENTS):
        assert name in listed


def test_an_unknown_experiment_is_named() -> None:
    result = CliRunner().invoke(experiment, ["nothing"])
    assert 2 == result.exit_code
    assert "nothing: unknown experiment" in result.output


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("silver", "--visual=none"),
        ("captions", "--seeds=3"),
        ("captions", "--epochs=1"),
        ("cost", "--runs=elsewhere"),
        ("cwi-table-9", "--images=folder"),
        ("cwi-table-9", "a/checkpoint"),
    ],
)
def test_what_an_experiment_does_not_read_is_refused(name: str, given: str) -> None:
    """Passed over, it would look as if the result had been made with it."""
    result = CliRunner().invoke(experiment, [name, given, "--data", "nowhere"])
    assert 2 == result.exit_code
    option = given.partition("=")[0] if given.startswith("--") else "checkpoints"
    assert f"{option}: not used by experiment {name}" in result.output


def test_checkpoints_with_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="folder names must differ"):
        experiments.labels_of([Path("a/run/checkpoint"), Path("b/run")])


@pytest.mark.parametrize("name", TRAINED_EXPERIMENTS)
def test_every_row_fits_its_preset_and_every_claim_is_a_papers(name: str, tmp_path: Path) -> None:
    """A misspelt setting or system would show only hours later, or never."""
    planned = TRAINED_EXPERIMENTS[name]
    setting = Setting(tmp_path, tmp_path, overrides={"epochs": 1})
    for row in planned.rows:
        assert row.overrides.get("epochs", 1) == preset_of(row, setting, seed=5).recipe.epochs
        assert 5 == preset_of(row, setting, seed=5).recipe.seed
        if row.system:
            assert row.system[0] in papers.PAPERS
            sets = {trial.name for trial in planned.trials}
            assert any((*row.system, set_) in papers.CLAIMS for set_ in sets), row
    labels = [row.label for row in planned.rows]
    assert len(set(labels)) == len(labels)


def test_a_run_is_shared_by_equal_rows_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(trained_experiments.PRESETS, "tiny", TINY)
    setting, trial = Setting(tmp_path, tmp_path), Trial("a", ("a",), ("a",))

    def folder(row: Row, seed: int = 1, trial: Trial = trial, setting: Setting = setting) -> Path:
        return run_folder(row, trial, preset_of(row, setting, seed), setting)

    first = folder(Row("x", "tiny"))
    assert first == folder(Row("another label", "tiny"), trial=replace(trial, score=("b",)))
    assert first == folder(Row("x", "tiny", {"fusion": TriModConfig(()).fusion}))
    others = [
        folder(Row("x", "tiny", {"dropout": 0.3})),
        folder(Row("x", "tiny", {"epochs": 2})),
        folder(Row("x", "tiny", {"no_hashtags": 1.0})),
        folder(Row("x", "tiny", visual="none")),
        folder(Row("x", "tiny"), seed=2),
        folder(Row("x", "tiny"), trial=replace(trial, more=("btc",))),
        folder(Row("x", "tiny"), trial=replace(trial, train=("b",))),
    ]
    assert 8 == len({first, *others})


def test_a_row_without_images_has_none_in_training_either(tmp_path: Path) -> None:
    """Class words of the CNN come as noise in training: what was called text alone had some in every third post."""
    setting = Setting(tmp_path, tmp_path)
    seeing, blind = Row("seeing", "hsn"), Row("blind", "hsn", visual="none")
    shares = [preset_of(row, setting, 1).noise.class_words for row in (seeing, blind)]
    assert [PRESETS["hsn"].noise.class_words, 0.0] == shares
    assert shares[0] > 0


def test_an_unknown_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(trained_experiments.PRESETS, "tiny", TINY)
    with pytest.raises(DataError, match=r"row 'x': preset tiny has no setting hight"):
        preset_of(Row("x", "tiny", {"hight": 2}), Setting(tmp_path, tmp_path), 1)


def test_seeds_are_averaged_and_their_spread_is_told() -> None:
    found = summary([{"F1": 70.0, "PER": 80.0}, {"F1": 72.0, "PER": 90.0}])
    assert {"seeds": 2, "F1": 71.0, "PER": 85.0, "lowest": 70.0, "highest": 72.0} == found


@pytest.mark.slow
def test_rows_are_trained_once_and_tabulated_with_the_papers_figure(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = TrainedExperiment(
        "Tiny",
        [Row("full", "tiny", system=("cwi", "CWI")), Row("text", "tiny", visual="none", hashtags=False)],
        [
            Trial("twitter2015", ("twitter2015",), ("twitter2015",)),
            Trial("twitter2017 -> twitter2015", ("twitter2017",), ("twitter2015",), types=frozenset({"LOC"})),
        ],
    )
    monkeypatch.setitem(trained_experiments.PRESETS, "tiny", TINY)
    monkeypatch.setitem(experiments.TRAINED_EXPERIMENTS, "tiny", planned)
    monkeypatch.setattr(experiments, "TRAINED_EXPERIMENTS", {**TRAINED_EXPERIMENTS, "tiny": planned})
    segmenter = Segmenter(SegmenterConfig(char_dim=4, case_dim=2, channels=4, hidden=4, decoder=4)).eval()
    monkeypatch.setattr("training.runs.components.load_segmenter", lambda _: segmenter)
    trained: list[Path] = []
    train = trained_experiments.train_preset
    monkeypatch.setattr(
        trained_experiments, "train_preset", lambda *given: (trained.append(given[3]), train(*given))[1]
    )
    write_vectors(vectors := tmp_path / "vectors.txt", ["won"], torch.ones(1, 8))
    arguments = ["tiny", "--data", str(data), "--runs", str(tmp_path / "runs"), "--device", "cpu"]
    arguments += ["--vectors", str(vectors)]
    run([*arguments, "--out", str(tmp_path / "1")])
    assert 4 == len(set(trained))
    run([*arguments, "--out", str(tmp_path / "2")])
    assert (tmp_path / "1" / "table.md").read_text() == (tmp_path / "2" / "table.md").read_text()
    assert 4 == len(trained)  # the second time nothing was left to train
    (data / "twitter2015" / "notes.md").write_text("mine")  # is not read, and makes no other data
    run([*arguments, "--out", str(tmp_path / "2")])
    assert "with the epoch selected on the training set's split" in (tmp_path / "2" / "table.md").read_text()
    rows = rows_of(tmp_path / "1")
    assert [71.61, None, None, None] == [row["paper F1 (test)"] for row in rows]
    assert {"LOC"} >= {key for key in rows[2] if key in papers.TYPES}
    write_vectors(vectors, ["won"], torch.zeros(1, 8))  # others of the same name
    with pytest.raises(DataError, match="other data"):
        run([*arguments, "--out", str(tmp_path / "3")])
    write_vectors(vectors, ["won"], torch.ones(1, 8))
    (data / "twitter2015" / "train.txt").write_text(POSTS + "more\tO\n")
    with pytest.raises(DataError, match="other data"):
        run([*arguments, "--out", str(tmp_path / "3")])


def test_what_is_drawn_at_random_is_drawn_several_times(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    """One shuffle is worth up to +-0.4 F1, and what another's image may cost is 0.5."""
    out = tmp_path / "result"
    run(["shuffled-images", str(checkpoint), "--data", str(data), "--set", "twitter2015", "--out", str(out)])
    drawn = {row["input"]: row for row in rows_of(out)}
    assert (1, DRAWS, 1) == tuple(
        drawn[kind]["draws"] for kind in ("own image", "another post's image", "no image")
    )
    low, high = map(float, drawn["another post's image"]["lowest to highest"].split(" to "))
    assert low - 0.005 <= drawn["another post's image"]["F1"] <= high + 0.005
