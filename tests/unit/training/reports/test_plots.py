"""Every figure: a PNG, small, and byte for byte the same for the same figures."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from training.evaluation.confusion import Confusion
from training.reports import plots
from training.reports.plots import Cost, Dot

DRAWN: dict[str, Callable[[Path], None]] = {
    "dots": lambda path: plots.dots(
        {"twitter2015": [Dot("CWI", 71.0, 70.5, 71.4, 71.6), Dot("without", 66.0)], "b": [Dot("CWI", 80.0)]},
        "CWI, Table 9",
        path,
    ),
    "lines": lambda path: plots.lines({"missing": {0: 74.1, 50: 73.9}, "other's": {0: 74.1}}, "a", "%", path),
    "curves": lambda path: plots.learning_curves({"trimod": [{1: 60.0, 2: 70.0}]}, "twitter2015", path),
    "confusion": lambda path: plots.confusion_matrix(
        Confusion(("LOC", "PER"), ((50, 3, 9), (2, 60, 5), (4, 8, 0))), "twitter2015", path
    ),
    "weights": lambda path: plots.modality_weights(
        {"own": {"text": 0.6, "image": 0.4}, "another's": {"text": 0.7, "image": 0.3}}, "weights", path
    ),
    "cost": lambda path: plots.f1_against_cost(
        [Cost("a", 74.0, 20.0, 60.0), Cost("b", 78.0, 90.0, 430.0)], "cost", path
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_a_small_png_and_the_same_each_time(name: str, tmp_path: Path) -> None:
    first, second = tmp_path / "1.png", tmp_path / "new folder" / "2.png"
    DRAWN[name](first)
    DRAWN[name](second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 60_000
    with Image.open(first) as picture:
        assert "PNG" == picture.format
        assert min(picture.size) > 100
