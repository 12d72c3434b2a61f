"""The training loop of tagger, segmenter and captioner: seeded, resumable, with early stopping. Read `fit` downwards.

What is trained is a Task; how long, and in what steps, a Plan; what changes on the way, a RunState (run_state.py). A
task is judged with the running average of its weights. Only where it gives a score is the best epoch kept.
"""

import json
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from rich.progress import Progress, TextColumn
from torch import Tensor, nn

from training.data.batching import chunks
from training.engine.run_state import RunState, save_state

B = TypeVar("B")
"""A batch, of whatever the task's loss takes."""
LOSS = TextColumn("loss {task.fields[loss]:.3f}")
"""The column that `fit` fills: the mean loss of the last 50 steps."""


@dataclass(frozen=True)
class Validation:
    """What an epoch is worth. figures: for the log, as JSON has them; told: the same for people.

    score: epochs are compared by it, a higher one is better; None: the last epoch is the best.
    """

    figures: Mapping[str, Any]
    told: str
    score: float | None = None


class Task(ABC, Generic[B]):
    """What is trained, and on what."""

    model: nn.Module

    @abstractmethod
    def draw(self, epoch: int, rng: random.Random) -> Sequence[B]:
        """The batches of an epoch, counted from 0. rng: the run's, whose state is kept from epoch to epoch."""

    @abstractmethod
    def loss(self, batch: B) -> Tensor:
        """The mean loss of a batch."""

    def weight(self, step: Sequence[B]) -> float:
        """How much a step's batches count in the mean loss that is logged."""
        return 1.0

    def validate(self) -> Validation | None:
        """How good the model is as it is now, in evaluation mode; None if that is not asked."""
        return None


@dataclass(frozen=True)
class Plan:
    """How long a task is trained, and in what steps.

    accumulate: batches whose gradients are averaged for one step. clip: largest norm of a step's gradients. patience:
    epochs without a better score after which training stops. title: before the epoch's number, for the progress bar.
    """

    epochs: int
    accumulate: int = 1
    clip: float = 1.0
    patience: int = 1
    title: str = "epoch"


@dataclass(frozen=True)
class RunFiles:
    """Where a run is kept: all that it needs to go on, the best epoch's weights, a line of figures for each epoch."""

    state: Path
    best: Path | None = None
    log: Path | None = None


def fit(task: Task[B], plan: Plan, run: RunState, progress: Progress, files: RunFiles | None = None) -> None:
    """Train `task` from where `run` is to the end of the plan, saving the run after each epoch."""
    bar = progress.add_task(plan.title, total=None, loss=0.0)
    while run.epoch < plan.epochs and run.epoch - run.best_epoch < plan.patience:
        started = time.monotonic()
        batches = task.draw(run.epoch, run.random)
        name = f"{plan.title} {run.epoch + 1}/{plan.epochs}"
        progress.reset(bar, total=len(batches), description=name, loss=0.0)
        task.model.train()
        losses, weights = list[float](), list[float]()
        for each in chunks(batches, plan.accumulate):
            losses.append(step(task, plan, run, each))
            weights.append(task.weight(each))
            progress.update(bar, advance=len(each), loss=sum(losses[-50:]) / len(losses[-50:]))
        run.epoch += 1
        task.model.eval()
        with run.average.in_place():
            found = task.validate()
            _keep_best(run, found, files)
        loss = sum(loss * weight for loss, weight in zip(losses, weights, strict=True)) / sum(weights)
        _note(run, loss, found, time.monotonic() - started, progress)
        _save(run, files)


def step(task: Task[B], plan: Plan, run: RunState, batches: Sequence[B]) -> float:
    """One step on the mean gradient of some batches; their mean loss."""
    run.optimizer.zero_grad(set_to_none=True)
    losses = []
    for batch in batches:
        loss = task.loss(batch)
        (loss / len(batches)).backward()  # type: ignore[no-untyped-call]
        losses.append(float(loss.detach()))
    torch.nn.utils.clip_grad_norm_(run.average.trained.values(), plan.clip)
    run.optimizer.step()
    run.schedule.step()
    run.average.update()
    return sum(losses) / len(losses)


def _keep_best(run: RunState, found: Validation | None, files: RunFiles | None) -> None:
    """Within the average, so that its weights are what is kept."""
    if found is None or found.score is None:
        run.best_epoch = run.epoch
    elif found.score > run.best:
        run.best, run.best_epoch = found.score, run.epoch
        if files and files.best:
            save_state(run.weights(), files.best)


def _note(run: RunState, loss: float, found: Validation | None, seconds: float, progress: Progress) -> None:
    """Put the epoch's figures into the history, and print them."""
    line = {"epoch": run.epoch, "loss": loss, "seconds": round(seconds, 1)}
    run.history.append(line | dict(found.figures if found else {}))
    if found:
        told = f"epoch {run.epoch}: loss {loss:.4f}, {found.told}, {seconds:.0f} s"
        progress.console.print(told, soft_wrap=True, markup=False, highlight=False)


def _save(run: RunState, files: RunFiles | None) -> None:
    if files:
        run.save(files.state)
        if files.log:
            files.log.write_text("".join(json.dumps(line) + "\n" for line in run.history), encoding="utf-8")
