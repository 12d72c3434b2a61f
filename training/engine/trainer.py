"""The training loop of every model: seeded, resumable, with early stopping on the validation sets.

Read `train` from top to bottom. After each epoch the running average of the weights (EMA) is scored on every
validation set, with what is seen in images and without; the best goes to `best.pt`, everything needed to go on to
`last.pt`, one line of figures to `log.jsonl`. Turning `best.pt` into a checkpoint is training/runs/export.py's.
"""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.progress import TextColumn
from torch import Tensor

from models.architectures.base import SequenceTagger
from models.core.batch import Encoded, collate
from models.core.labels import Span, spans
from models.text.post_encoder import PostEncoder
from training.data.augmentation import Disturber
from training.data.batching import Segment, batches, by_length, encode
from training.data.controls import has_image, without_images
from training.data.datasets import Sample
from training.data.long_posts import joined, parts_of
from training.engine.ema import MovingAverage
from training.engine.optimization import Recipe, make_optimizer, make_schedule
from training.engine.precision import autocast
from training.engine.progress import Watch
from training.engine.run_state import save_state
from training.errors import DataError
from training.evaluation.scoring import Score, score


@dataclass(frozen=True)
class ValidationSet:
    name: str
    samples: list[Sample]


@dataclass(frozen=True)
class Best:
    """The best epoch: its number, its scores on each validation set, and the trained weights by name."""

    epoch: int
    scores: dict[str, Any]
    weights: dict[str, Tensor]
    history: list[dict[str, Any]]
    """Loss, seconds and overall F1 on each set, of every epoch of the run: the learning curve."""


def predict(model: SequenceTagger, examples: Sequence[Encoded], batch_size: int = 64) -> list[list[Span]]:
    """The entities of each example, as token spans, in the examples' order."""
    model.eval()
    found: list[list[Span]] = [[] for _ in examples]
    device = next(model.parameters()).device
    with torch.inference_mode():
        for group in by_length(examples, batch_size):
            batch = collate([examples[i] for i in group], model.config.inputs.image_size).to(device)
            with autocast(model):
                emissions, _ = model(batch)
            for index, mentions in zip(group, model.find(emissions, batch.mask), strict=True):
                found[index] = [span for span, _ in mentions]
    return found


def validate(
    model: SequenceTagger, encoder: PostEncoder, segment: Segment, sets: Sequence[ValidationSet]
) -> dict[str, dict[str, Score]]:
    """The model's scores on each set: `NAME`, and, where there are images, `NAME text only` without what is seen in
    them."""
    found = {}
    for valid in sets:
        inputs = {valid.name: valid.samples}
        if any(map(has_image, valid.samples)):
            inputs[f"{valid.name} text only"] = without_images(valid.samples)
        for name, chosen in inputs.items():
            parts = parts_of(chosen, encoder)
            examples = [encode(part.sample, encoder, segment, model.crf.labels) for part in parts]
            predicted = joined(parts, predict(model, examples), len(chosen))
            found[name] = score([spans(sample.tags) for sample in chosen], predicted)
    return found


class Trainer:
    """Holds what an epoch changes, so that it can be saved and taken up again."""

    def __init__(
        self, model: SequenceTagger, encoder: PostEncoder, segment: Segment, recipe: Recipe, batches: int
    ) -> None:
        """batches: in an epoch."""
        self.model, self.encoder, self.segment, self.recipe = model, encoder, segment, recipe
        self.device = next(model.parameters()).device
        self.average = MovingAverage(model, recipe.average)
        self.trained = self.average.trained
        self.optimizer = make_optimizer(model, recipe)
        self.schedule = make_schedule(self.optimizer, recipe, -(-batches // recipe.accumulate))
        self.random = random.Random(recipe.seed)
        self.epoch, self.best, self.best_epoch = 0, -1.0, 0
        self.identity = ""
        self.history: list[str] = []

    def step(self, batches: Sequence[list[Encoded]]) -> float:
        """One step on the mean gradient of some batches; their mean loss."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        for examples in batches:
            with autocast(self.model):
                loss = self.model.loss(collate(examples, self.image_size).to(self.device))
            if self.recipe.l1:
                loss = loss + self.recipe.l1 * sum(p.abs().sum() for p in self.trained.values())
            (loss / len(batches)).backward()  # type: ignore[no-untyped-call]
            losses.append(float(loss.detach()))
        torch.nn.utils.clip_grad_norm_(self.trained.values(), self.recipe.clip)
        self.optimizer.step()
        self.schedule.step()
        self.average.update()
        return sum(losses) / len(losses)

    @property
    def image_size(self) -> int:
        return int(self.model.config.inputs.image_size)

    def weights(self) -> dict[str, Tensor]:
        """The trained weights by name, as they are now."""
        return {name: p.detach().clone() for name, p in self.trained.items()}

    def state(self) -> dict[str, Any]:
        return {
            "weights": self.weights(),
            "average": self.average.weights,
            "steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": json.dumps(self.random.getstate()),
            "torch": torch.get_rng_state(),
            "epoch": self.epoch,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "identity": self.identity,
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["weights"], strict=False)
        self.average.steps = state["steps"]
        for name, weights in state["average"].items():
            self.average.weights[name].copy_(weights)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.random.setstate(_random_state(state["random"]))
        torch.set_rng_state(state["torch"])
        self.epoch, self.best, self.best_epoch = state["epoch"], state["best"], state["best_epoch"]
        self.history = state["history"]


def train(
    model: SequenceTagger,
    encoder: PostEncoder,
    segment: Segment,
    train_samples: list[Sample],
    valid_sets: Sequence[ValidationSet],
    disturb: Disturber,
    recipe: Recipe,
    out: Path,
    identity: str = "",
) -> "Best":
    """Train `model`, going on from `out/last.pt` if it is there; the best epoch's averaged weights and scores.

    identity: what makes this run this run (data, model); a run in `out` with another one, or another recipe, is
    refused with a DataError.
    """
    out.mkdir(parents=True, exist_ok=True)
    per_epoch = -(-len(train_samples) // recipe.batch_size)
    trainer = Trainer(model, encoder, segment, recipe, per_epoch)
    trainer.identity = json.dumps([identity, asdict(recipe), asdict(disturb.noise)])
    if (out / "last.pt").exists():
        state = torch.load(out / "last.pt", map_location="cpu", weights_only=True)
        if state["identity"] != trainer.identity:
            raise DataError(
                f"{out} holds a run on other data or with other settings: move it away, or give another --out"
            )
        trainer.restore(state)
    while trainer.epoch < recipe.epochs and trainer.epoch - trainer.best_epoch < recipe.patience:
        started = time.monotonic()
        losses = _epoch(trainer, [disturb(sample, trainer.random) for sample in train_samples], per_epoch)
        trainer.epoch += 1
        with trainer.average.in_place():
            scores = validate(model, encoder, segment, valid_sets)
            mean = sum(each["overall"].f1 for each in scores.values()) / len(scores)
            if mean > trainer.best:
                trainer.best, trainer.best_epoch = mean, trainer.epoch
                best = {"epoch": trainer.epoch, "scores": plain(scores), "weights": trainer.weights()}
                save_state(best, out / "best.pt")
        _note(trainer, sum(losses) / len(losses), scores, time.monotonic() - started)
        save_state(trainer.state(), out / "last.pt")
        (out / "log.jsonl").write_text("".join(trainer.history), encoding="utf-8")
    best = torch.load(out / "best.pt", map_location="cpu", weights_only=True)
    return Best(**best, history=[_curve(json.loads(line)) for line in trainer.history])


def _epoch(trainer: Trainer, samples: Sequence[Sample], total: int) -> list[float]:
    """One pass over `samples`; the loss of each step."""
    losses = list[float]()
    examples = [
        encode(sample, trainer.encoder, trainer.segment, trainer.model.crf.labels) for sample in samples
    ]
    groups = batches(examples, trainer.recipe.batch_size, trainer.random)
    with Watch(TextColumn("loss {task.fields[loss]:.3f}")) as progress:
        name = f"epoch {trainer.epoch + 1}/{trainer.recipe.epochs}"
        task = progress.add_task(name, total=total, loss=0.0)
        while step := list(islice(groups, trainer.recipe.accumulate)):
            losses.append(trainer.step(step))
            progress.update(task, advance=len(step), loss=sum(losses[-50:]) / len(losses[-50:]))
    return losses


def _curve(line: dict[str, Any]) -> dict[str, Any]:
    scores = {name: each["overall"]["f1"] for name, each in line["scores"].items()}
    return {key: line[key] for key in ("epoch", "loss", "seconds")} | {"f1": scores}


def plain(scores: dict[str, dict[str, Score]]) -> dict[str, Any]:
    """`validate`'s scores as JSON."""
    return {
        name: {type_: asdict(each) for type_, each in by_type.items()} for name, by_type in scores.items()
    }


def _note(trainer: Trainer, loss: float, scores: dict[str, dict[str, Score]], seconds: float) -> None:
    """Put the epoch's figures into the history, and print them."""
    line = {"epoch": trainer.epoch, "loss": loss, "seconds": round(seconds, 1), "scores": plain(scores)}
    trainer.history.append(json.dumps(line) + "\n")
    figures = ", ".join(f"{name} {each['overall'].f1:.2f}" for name, each in scores.items())
    print(f"epoch {trainer.epoch}: loss {loss:.3f}, F1 {figures}, {seconds:.0f} s", flush=True)  # noqa: T201


def _random_state(stored: str) -> tuple[Any, ...]:
    version, internal, gauss = json.loads(stored)
    return version, tuple(internal), gauss
