"""The state of a training run in a file, for continuing a stopped run; and a lock for one process at a time."""

import fcntl
import logging
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from training.engine.ema import MovingAverage
from training.errors import DataError

LOCK = "lock"
"""In a run's folder, the file that its process has."""
FORMAT = 2
"""Version of the state file's format. Files of other versions are refused."""
log = logging.getLogger(__name__)


@dataclass
class RunState:
    """A training run between two epochs: everything to store for continuing as if there was no interruption.

    identity: identifies the run (data, settings); a stored run with another identity is refused. extra: further results
    of a task besides its weights (numbers, text, lists and dicts).
    """

    identity: str
    average: MovingAverage
    optimizer: Optimizer
    schedule: LRScheduler
    random: random.Random
    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def weights(self) -> dict[str, Tensor]:
        """The current trained weights by name."""
        return {name: p.detach().clone() for name, p in self.average.trained.items()}

    def save(self, path: Path) -> None:
        """Store the run atomically."""
        state = {
            "format": FORMAT,
            "identity": self.identity,
            "model": self.weights(),
            "average": self.average.weights,
            "steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": self.random.getstate(),
            "generators": generators(),
            "progress": {name: getattr(self, name) for name in PROGRESS},
        }
        save_state(state, path)

    def restore(self, path: Path) -> None:
        """Continue a stored run. Raises DataError if it had other settings or other data."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state.get("format") != FORMAT:
            raise DataError(
                f"{path} was written by another version of TriMod: move it, or choose another --out"
            )
        if state["identity"] != self.identity:
            raise DataError(
                f"{path} belongs to a run with other settings or data: use the same ones, or choose another --out"
            )
        with torch.no_grad():
            for name, parameter in self.average.trained.items():
                parameter.copy_(state["model"][name])
                self.average.weights[name].copy_(state["average"][name])
        self.average.steps = state["steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.random.setstate(state["random"])
        restore_generators(state["generators"])
        for name, value in state["progress"].items():
            setattr(self, name, value)


PROGRESS = ("epoch", "best", "best_epoch", "history", "extra")
"""The fields of a RunState that are stored as they are."""


def generators() -> dict[str, Any]:
    """The states of torch's random generators: the CPU's, and each GPU's, which dropout uses there."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": gpus}


def restore_generators(states: Mapping[str, Any]) -> None:
    """Restore the states from `generators`; states of GPUs that no longer exist are skipped."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"][: torch.cuda.device_count()])


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Write to a temporary file and rename it, so that a killed run leaves the last complete file."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Lock the file `path` (created if missing) in this context; waits while another process has it, and logs that.

    Experiments share runs and silver labels, so concurrent experiments may need the same ones.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: in use by another process, waiting for it to finish", path)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
