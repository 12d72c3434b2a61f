"""`trimod train PRESET` hands every option to the run it starts."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from models.checkpoints.format import load_checkpoint
from tests.support.tiny_checkpoint import tiny_checkpoint
from tests.unit.training.runs.test_train import folder
from training.cli.train import train
from training.errors import DataError


def test_a_preset_is_trained_by_its_name(tmp_path: Path) -> None:
    data, segmenter = folder(tmp_path / "data"), tiny_checkpoint(tmp_path / "segmenter")
    options = ["--visual", "none", "--epochs", "1", "--rate", "0.01", "--seed", "7", "--device", "cpu"]
    options += ["--set", "word_hidden=9", "--set", "schedule=constant"]
    places = ["--data", str(data), "--segmenter", str(segmenter), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(train, ["bilstm-crf", *places, *options], catch_exceptions=False)
    assert f"wrote {tmp_path / 'out' / 'checkpoint'}" in result.output
    metrics = load_checkpoint(tmp_path / "out" / "checkpoint").metrics
    assert {"data"} == set(metrics["valid"])  # nothing is seen in images: scored once
    recipe = metrics["recipe"]
    assert ("bilstm-crf", "none", 1, 0.01, 7, "constant") == (
        metrics["preset"], metrics["visual"], recipe["epochs"], recipe["rate"], recipe["seed"], recipe["schedule"],
    )  # fmt: skip
    assert 9 == load_checkpoint(tmp_path / "out" / "checkpoint").config["trimod"]["word_hidden"]


def test_a_setting_without_a_value_is_refused(tmp_path: Path) -> None:
    given = ["trimod", "--data", str(tmp_path), "--out", str(tmp_path), "--set", "fusion"]
    assert "--set: expected NAME=VALUE, got 'fusion'" in CliRunner().invoke(train, given).output


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--set", "epochs=0"], "epochs=0: Input should be greater than 0"),
        (["--set", "patience=0"], "patience=0: Input should be greater than 0"),
        (["--set", "batch_size=0"], "batch_size=0: Input should be greater than 0"),
        (["--set", "accumulate=0"], "accumulate=0: Input should be greater than 0"),
        (["--rate", "-1"], "rate=-1.0: Input should be greater than or equal to 0"),
        (["--set", "no_image=5"], "no_image=5: Input should be less than or equal to 1"),
        (["--set", "average=1"], "average=1: Input should be less than 1"),
        (["--epochs", "3", "--set", "epochs=4"], "--set epochs conflicts with --epochs: give only one"),
    ],
)
def test_a_setting_that_trains_nothing_or_nonsense_is_refused(
    given: list[str], told: str, tmp_path: Path
) -> None:
    options = ["bilstm-crf", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *given]
    result = CliRunner().invoke(train, options)
    assert told in result.output + str(result.exception)
    assert isinstance(result.exception, SystemExit | DataError)  # told, and no traceback


def test_heads_that_do_not_divide_the_width_and_a_setting_that_is_none_are_named(tmp_path: Path) -> None:
    data = ["--data", str(folder(tmp_path / "data")), "--out", str(tmp_path / "out"), "--visual", "none"]
    for preset, visual, setting, told in (
        ("trimod", "none", ["fusion=cross", "word_hidden=100"], "must be a multiple of heads, got 200 and 6"),
        ("hsn", "pixels", ["depth=2"], "model hsn has no setting depth"),
    ):
        changes = [word for each in setting for word in ("--set", each)]
        result = CliRunner().invoke(train, [preset, *data, "--visual", visual, *changes])
        assert isinstance(result.exception, DataError)
        assert told in str(result.exception)


def test_every_preset_and_part_has_help() -> None:
    listed = CliRunner().invoke(train, ["--help"]).output
    for name in ("trimod", "cwi", "hsn", "hamlearning", "bilstm-crf", "captioner", "segmenter", "vectors"):
        assert name in listed
        assert 0 == CliRunner().invoke(train, [name, "--help"]).exit_code
