"""The training loop of every model: seeded, resumable, with early stopping on the validation sets.

Read `train` from top to bottom. After each epoch the running average of the weights (EMA) is scored on every
validation set, with captions and without; the best goes to `best.pt`, everything needed to go on to `last.pt`, one
line of figures to `log.jsonl`. Turning `best.pt` into a checkpoint is training/export.py's.
"""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.batch import Encoded, collate
from models.encode import PostEncoder
from models.labels import Span, spans
from models.trimod import TriMod
from training.conll import DataError
from training.data import Disturber, Sample, Segment, batches, encode
from training.precision import autocast
from training.scoring import Score, score


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    epochs: int = 12
    batch_size: int = 32
    encoder_rate: float = 1e-4
    """Peak learning rate of the pretrained encoder."""
    rate: float = 1e-3
    """Peak learning rate of everything else."""
    weight_decay: float = 0.01
    warmup: float = 0.1
    """Share of all steps in which the rate rises to its peak; then it falls linearly to zero."""
    clip: float = 1.0
    """Largest norm of a step's gradients."""
    average: float = 0.995
    """Decay per step of the running average of the weights."""
    patience: int = 4
    """Epochs without a better score after which training stops."""
    seed: int = 1


@dataclass(frozen=True)
class ValidationSet:
    name: str
    samples: list[Sample]


@dataclass(frozen=True)
class Best:
    """The best epoch: its number, its scores on each validation set, and the averaged weights by name."""

    epoch: int
    scores: dict[str, Any]
    weights: dict[str, Tensor]


def predict(model: TriMod, examples: Sequence[Encoded], batch_size: int = 64) -> list[list[Span]]:
    """The entities of each example, as token spans, in the examples' order."""
    model.eval()
    found: list[list[Span]] = [[] for _ in examples]
    places = {id(example): index for index, example in enumerate(examples)}
    device = next(model.parameters()).device
    with torch.inference_mode():
        for group in batches(list(examples), batch_size, shuffle=None):
            batch = collate(group).to(device)
            with autocast(device):
                emissions, _ = model(batch)
            for example, path in zip(group, model.crf.decode(emissions, batch.mask), strict=True):
                found[places[id(example)]] = spans([model.crf.labels[label] for label in path])
    return found


class Trainer:
    """Holds what an epoch changes, so that it can be saved and taken up again."""

    def __init__(
        self, model: TriMod, encoder: PostEncoder, segment: Segment, recipe: Recipe, steps: int
    ) -> None:
        self.model, self.encoder, self.segment, self.recipe = model, encoder, segment, recipe
        self.device = next(model.parameters()).device
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))  # type: ignore[no-untyped-call]
        self.optimizer = torch.optim.AdamW(_groups(model, recipe), weight_decay=recipe.weight_decay)
        warm = max(1, int(recipe.warmup * steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm))),
        )
        self.random = random.Random(recipe.seed)
        self.epoch, self.best, self.best_epoch = 0, -1.0, 0
        self.identity = ""
        self.history: list[str] = []

    def step(self, examples: list[Encoded]) -> float:
        self.model.train()
        with autocast(self.device):
            loss = self.model.loss(collate(examples).to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        return float(loss.detach())

    def validate(self, sets: Sequence[ValidationSet]) -> dict[str, dict[str, Score]]:
        """Scores of the averaged weights: `NAME` with captions, `NAME text only` without."""
        model = cast(TriMod, self.average.module)
        found = {}
        for valid in sets:
            bare = [Sample(s.tokens, s.tags, []) for s in valid.samples]
            for name, chosen in ((valid.name, valid.samples), (f"{valid.name} text only", bare)):
                examples = [
                    encode(sample, self.encoder, self.segment, model.config.labels) for sample in chosen
                ]
                found[name] = score([spans(sample.tags) for sample in chosen], predict(model, examples))
        return found

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
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
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.random.setstate(_random_state(state["random"]))
        torch.set_rng_state(state["torch"])
        self.epoch, self.best, self.best_epoch = state["epoch"], state["best"], state["best_epoch"]
        self.history = state["history"]


def train(
    model: TriMod,
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
    steps_per_epoch = -(-len(train_samples) // recipe.batch_size)
    trainer = Trainer(model, encoder, segment, recipe, recipe.epochs * steps_per_epoch)
    trainer.identity = json.dumps([identity, asdict(recipe), asdict(disturb.noise)])
    disturb.random = trainer.random
    if (out / "last.pt").exists():
        state = torch.load(out / "last.pt", map_location="cpu", weights_only=True)
        if state["identity"] != trainer.identity:
            raise DataError(f"{out} holds a run on other data or with other settings: give another --out")
        trainer.restore(state)
    while trainer.epoch < recipe.epochs and trainer.epoch - trainer.best_epoch < recipe.patience:
        started, losses = time.monotonic(), list[float]()
        examples = [
            encode(disturb(sample), encoder, segment, model.config.labels) for sample in train_samples
        ]
        with _progress() as progress:
            task = progress.add_task(
                f"epoch {trainer.epoch + 1}/{recipe.epochs}", total=steps_per_epoch, loss=0.0
            )
            for group in batches(examples, recipe.batch_size, trainer.random):
                losses.append(trainer.step(group))
                progress.update(task, advance=1, loss=sum(losses[-50:]) / len(losses[-50:]))
        trainer.epoch += 1
        scores = trainer.validate(valid_sets)
        mean = sum(each["overall"].f1 for each in scores.values()) / len(scores)
        if mean > trainer.best:
            trainer.best, trainer.best_epoch = mean, trainer.epoch
            best = {
                "epoch": trainer.epoch,
                "scores": _plain(scores),
                "weights": trainer.average.module.state_dict(),
            }
            _save(best, out / "best.pt")
        _note(trainer, sum(losses) / len(losses), scores, time.monotonic() - started)
        _save(trainer.state(), out / "last.pt")
        (out / "log.jsonl").write_text("".join(trainer.history), encoding="utf-8")
    return Best(**torch.load(out / "best.pt", map_location="cpu", weights_only=True))


def _groups(model: TriMod, recipe: Recipe) -> list[dict[str, Any]]:
    pretrained = [
        p for n, p in model.named_parameters() if n.startswith("words.encoder.") and p.requires_grad
    ]
    own = [p for n, p in model.named_parameters() if not n.startswith("words.encoder.") and p.requires_grad]
    groups = [{"params": own, "lr": recipe.rate}]
    return [*groups, {"params": pretrained, "lr": recipe.encoder_rate}] if pretrained else groups


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("loss {task.fields[loss]:.3f}"))


def _plain(scores: dict[str, dict[str, Score]]) -> dict[str, Any]:
    return {
        name: {type_: asdict(each) for type_, each in by_type.items()} for name, by_type in scores.items()
    }


def _save(state: dict[str, Any], path: Path) -> None:
    """Written beside and moved, so that a run that is killed in the middle leaves the last whole file."""
    beside = path.with_suffix(".tmp")
    torch.save(state, beside)
    beside.replace(path)


def _note(trainer: Trainer, loss: float, scores: dict[str, dict[str, Score]], seconds: float) -> None:
    """Put the epoch's figures into the history, and print them."""
    line = {"epoch": trainer.epoch, "loss": loss, "seconds": round(seconds, 1), "scores": _plain(scores)}
    trainer.history.append(json.dumps(line) + "\n")
    figures = ", ".join(f"{name} {each['overall'].f1:.2f}" for name, each in scores.items())
    print(f"epoch {trainer.epoch}: loss {loss:.3f}, F1 {figures}, {seconds:.0f} s", flush=True)  # noqa: T201


def _random_state(stored: str) -> tuple[Any, ...]:
    version, internal, gauss = json.loads(stored)
    return version, tuple(internal), gauss
