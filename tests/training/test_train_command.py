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
    places = ["--data", str(data), "--segmenter", str(segmenter), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(train, ["bilstm-crf", *places, *options], catch_exceptions=False)
    assert f"wrote {tmp_path / 'out' / 'checkpoint'}" in result.output
    metrics = load_checkpoint(tmp_path / "out" / "checkpoint").metrics
    recipe = metrics["recipe"]
    assert ("bilstm-crf", "none", 1, 0.01, 7) == (
        metrics["preset"], metrics["visual"], recipe["epochs"], recipe["rate"], recipe["seed"],
    )  # fmt: skip


def test_every_preset_and_part_has_help() -> None:
    listed = CliRunner().invoke(train, ["--help"]).output
    for name in ("trimod", "cwi", "hsn", "hamlearning", "bilstm-crf", "captioner", "segmenter", "vectors"):
        assert name in listed
        assert 0 == CliRunner().invoke(train, [name, "--help"]).exit_code
