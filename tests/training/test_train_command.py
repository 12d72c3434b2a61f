"""`trimod train PRESET` hands every option to the run it starts."""

from pathlib import Path

from click.testing import CliRunner

from models.checkpoint import load_checkpoint
from tests.checkpoints import tiny_checkpoint
from tests.training.test_run import folder
from training.commands.train import train


def test_a_preset_is_trained_by_its_name(tmp_path: Path) -> None:
    data, segmenter = folder(tmp_path / "data"), tiny_checkpoint(tmp_path / "segmenter")
    options = ["--visual", "none", "--epochs", "1", "--rate", "0.01", "--seed", "7", "--device", "cpu"]
    options += ["--set", "word_hidden=9", "--set", "schedule=constant"]
    places = ["--data", str(data), "--segmenter", str(segmenter), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(train, ["bilstm-crf", *places, *options], catch_exceptions=False)
    assert f"wrote {tmp_path / 'out' / 'checkpoint'}" in result.output
    metrics = load_checkpoint(tmp_path / "out" / "checkpoint").metrics
    recipe = metrics["recipe"]
    assert ("bilstm-crf", "none", 1, 0.01, 7, "constant") == (
        metrics["preset"], metrics["visual"], recipe["epochs"], recipe["rate"], recipe["seed"], recipe["schedule"],
    )  # fmt: skip
    assert 9 == load_checkpoint(tmp_path / "out" / "checkpoint").config["trimod"]["word_hidden"]


def test_a_setting_without_a_value_is_refused(tmp_path: Path) -> None:
    given = ["trimod", "--data", str(tmp_path), "--out", str(tmp_path), "--set", "fusion"]
    assert "--set wants NAME=VALUE, got 'fusion'" in CliRunner().invoke(train, given).output


def test_every_preset_and_part_has_help() -> None:
    listed = CliRunner().invoke(train, ["--help"]).output
    for name in ("trimod", "cwi", "hsn", "hamlearning", "bilstm-crf", "captioner", "segmenter", "vectors"):
        assert name in listed
        assert 0 == CliRunner().invoke(train, [name, "--help"]).exit_code
