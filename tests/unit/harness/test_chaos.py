"""The short run: one group of the plan, in which the worker, the broker and Redis get every signal once.

The long one is `make chaos N=200`.
"""

from pathlib import Path

import pytest

from tests.chaos.__main__ import run
from tests.unit.harness.test_schedule import GROUP

pytestmark = pytest.mark.integration


@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_counted_twice(tmp_path: Path) -> None:
    kept = run(GROUP, seed=1, rate=40.0, directory=tmp_path / "chaos")
    assert kept, (tmp_path / "chaos" / "report.txt").read_text()
