"""What is stored comes back, the random generators of GPUs too; one process at a time trains in a folder."""

import logging
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.engine.ema import MovingAverage
from training.engine.run_state import LOCK, RunState, alone
from training.errors import DataError

OTHER = """
import sys
import time
from pathlib import Path
from training.engine.run_state import alone
with alone(Path(sys.argv[1], "run", "lock")):
    print("begun", flush=True)
    sys.stdin.readline()
    time.sleep(0.5)
    Path(sys.argv[1], "trained").touch()
"""


def test_a_folder_in_which_another_process_trains_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two experiments side by side trained a run that they share at once, and wrote the same files."""
    said: list[str] = []
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert "begun\n" == other.stdout.readline()

        def end_the_other(message: str, *arguments: object) -> None:
            said.append(message % arguments)
            assert other.stdin is not None
            other.stdin.close()

        monkeypatch.setattr(logging.getLogger("training.engine.run_state"), "warning", end_the_other)
        with alone(tmp_path / "run" / LOCK):
            assert (tmp_path / "trained").exists()
    assert [f"{tmp_path}/run/lock: in use by another process, waiting for it to finish"] == said
    with alone(tmp_path / "run" / LOCK):  # it is free again
        assert 1 == len(said)


def fresh(identity: str = "this") -> RunState:
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    return RunState(identity, MovingAverage(model, 0.9), optimizer, schedule, random.Random(1))


def trained(run: RunState, steps: int) -> list[float]:
    """All that is random or learnt in some steps of a run, as numbers."""
    for _ in range(steps):
        run.optimizer.zero_grad()
        weight = run.average.trained["weight"]
        (weight * torch.randn(3) * run.random.random()).sum().backward()  # type: ignore[no-untyped-call]
        run.optimizer.step()
        run.schedule.step()
        run.average.update()
    return [
        *run.average.trained["weight"].flatten().tolist(),
        *run.average.weights["weight"].flatten().tolist(),
    ]


def test_a_restored_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    run = fresh()
    trained(run, 3)
    run.epoch, run.best, run.best_epoch = 3, 0.5, 2
    run.history, run.extra = [{"epoch": 3, "loss": 0.1}], {"unseen": [[1.5]]}
    run.save(tmp_path / "state.pt")
    expected = trained(run, 3)
    other = fresh()
    other.restore(tmp_path / "state.pt")
    assert expected == trained(other, 3)
    assert (3, 0.5, 2, run.history, run.extra) == (
        other.epoch, other.best, other.best_epoch, other.history, other.extra,
    )  # fmt: skip


def test_the_generators_of_every_gpu_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout on a GPU draws from the GPU's generator: a resumed run got other weights than a whole one."""
    states = [torch.tensor([index, 7], dtype=torch.uint8) for index in range(2)]
    restored: list[list[int]] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_rng_state_all", lambda: states)
    monkeypatch.setattr(
        "torch.cuda.set_rng_state_all", lambda all_: restored.extend(map(torch.Tensor.tolist, all_))
    )
    fresh().save(tmp_path / "state.pt")
    fresh().restore(tmp_path / "state.pt")
    assert [[0, 7], [1, 7]] == restored


def test_a_run_without_gpus_goes_on_beside_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restored: list[object] = []
    fresh().save(tmp_path / "state.pt")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.set_rng_state_all", restored.extend)
    fresh().restore(tmp_path / "state.pt")
    assert [] == restored


def test_other_settings_and_other_versions_are_refused(tmp_path: Path) -> None:
    fresh().save(tmp_path / "state.pt")
    with pytest.raises(DataError, match="belongs to a run with other settings or data"):
        fresh("that").restore(tmp_path / "state.pt")
    torch.save(
        {"weights": {}, "epoch": 1, "identity": "this"}, tmp_path / "state.pt"
    )  # as it was until format 2
    with pytest.raises(DataError, match=r"state\.pt was written by another version of TriMod"):
        fresh().restore(tmp_path / "state.pt")
