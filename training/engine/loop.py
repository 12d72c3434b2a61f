"""The training loop of tagger, segmenter and captioner: seeded, resumable, with early stopping. Start reading at `fit`.

A Task defines what is trained; a Plan, for how long and in which steps; a RunState (run_state.py) holds what changes. A
task is evaluated with the running average of its weights. The best epoch is kept only if the task returns scores.
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
"""A batch, as expected by the task's loss."""
LOSS = TextColumn("loss {task.fields[loss]:.3f}")
"""Column filled by `fit`: the mean loss of the last 50 steps."""


@dataclass(frozen=True)
class Validation:
    """The evaluation of an epoch. figures: JSON values for the log; told: the same as text for people.

    score: for comparing epochs; higher is better. If None, the last epoch counts as the best.
    """

    figures: Mapping[str, Any]
    told: str
    score: float | None = None


class Task(ABC, Generic[B]):
    """A model to train, and its data."""

    model: nn.Module

    @abstractmethod
    def draw(self, epoch: int, rng: random.Random) -> Sequence[B]:
        """The batches of an epoch (from 0). rng: the run's generator, whose state is kept between epochs."""

    @abstractmethod
    def loss(self, batch: B) -> Tensor:
        """The mean loss of a batch."""

    def weight(self, step: Sequence[B]) -> float:
        """Weight of a step's batches in the logged mean loss."""
        return 1.0

    def validate(self) -> Validation | None:
        """Evaluate the current model in evaluation mode; None if this epoch is not evaluated."""
        return None


@dataclass(frozen=True)
class Plan:
    """How long a task is trained, and in which steps.

    accumulate: batches whose gradients are averaged for one step. clip: largest norm of a step's gradients. patience:
    epochs without a better score after which training stops. title: text before the epoch's number in the progress bar.
    """

    epochs: int
    accumulate: int = 1
    clip: float = 1.0
    patience: int = 1
    title: str = "epoch"


@dataclass(frozen=True)
class RunFiles:
    """The files of a run: the state for continuing it, the best epoch's weights, and a line of figures per epoch."""

    state: Path
    best: Path | None = None
    log: Path | None = None


def fit(task: Task[B], plan: Plan, run: RunState, progress: Progress, files: RunFiles | None = None) -> None:
    """Train `task` from the state of `run` to the end of the plan; saves the run after each epoch."""
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
    """Take one step on the mean gradient of the batches. Returns their mean loss."""
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
    """Call it with the averaged weights in place, so that these are kept."""
    if found is None or found.score is None:
        run.best_epoch = run.epoch
    elif found.score > run.best:
        run.best, run.best_epoch = found.score, run.epoch
        if files and files.best:
            save_state(run.weights(), files.best)


def _note(run: RunState, loss: float, found: Validation | None, seconds: float, progress: Progress) -> None:
    """Add the epoch's figures to the history, and print them."""
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
