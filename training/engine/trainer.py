"""Trains tagging models: draws the batches for training/engine/loop.py, and evaluates each epoch.

After each epoch, the running average of the weights (EMA) is scored on every validation set, with and without image
information. The best weights are stored in `best.pt`, the state for continuing in `last.pt`, and a line of figures in
`log.jsonl`. training/runs/export.py turns `best.pt` into a checkpoint.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.architectures.base import SequenceTagger
from models.core.batch import Encoded, collate
from models.core.labels import Span, spans
from models.text.post_encoder import PostEncoder
from training.data.augmentation import Augmenter
from training.data.batching import Segment, encode, length_batches, rows_of
from training.data.controls import with_text_only
from training.data.datasets import Sample
from training.data.long_posts import joined, parts_of
from training.engine.ema import MovingAverage
from training.engine.loop import LOSS, Plan, RunFiles, Task, Validation, fit
from training.engine.optimization import Recipe, make_optimizer, make_schedule
from training.engine.precision import autocast
from training.engine.progress import TrainingProgress
from training.engine.run_state import RunState
from training.evaluation.scoring import Score, score

POOL = 50
"""Batches of an epoch whose posts are sorted by length together."""


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
    """The learning curve: loss, seconds and overall F1 on each set, for every epoch of the run."""


def predict(model: SequenceTagger, examples: Sequence[Encoded], batch_size: int = 64) -> list[list[Span]]:
    """The entities of each example, as token spans, in the order of the examples."""
    model.eval()
    found: list[list[Span]] = [[] for _ in examples]
    device = next(model.parameters()).device
    with torch.inference_mode():
        for group in length_batches(range(len(examples)), batch_size, lambda index: rows_of(examples[index])):
            batch = collate([examples[i] for i in group], model.config.inputs.image_size).to(device)
            with autocast(model):
                emissions, _ = model(batch)
            for index, mentions in zip(group, model.find(emissions, batch.mask), strict=True):
                found[index] = [span for span, _ in mentions]
    return found


def validate(
    model: SequenceTagger, encoder: PostEncoder, segment: Segment, sets: Sequence[ValidationSet]
) -> dict[str, dict[str, Score]]:
    """The model's scores on each set: `NAME`; if there are images, also `NAME text only`, without image information."""
    found = {}
    for valid in sets:
        for name, chosen in with_text_only(valid.name, valid.samples).items():
            parts = parts_of(chosen, encoder)
            examples = [encode(part.sample, encoder, segment, model.crf.labels) for part in parts]
            predicted = joined(parts, predict(model, examples), len(chosen))
            found[name] = score([spans(sample.tags) for sample in chosen], predicted)
    return found


class Tagging(Task[Sequence[Encoded]]):
    """Adds noise to the posts and batches them again in each epoch; scored by mean F1 on the validation sets."""

    def __init__(
        self,
        model: SequenceTagger,
        encoder: PostEncoder,
        segment: Segment,
        samples: Sequence[Sample],
        valid_sets: Sequence[ValidationSet],
        disturb: Augmenter,
        recipe: Recipe,
    ) -> None:
        self.model: SequenceTagger = model
        self.encoder, self.segment, self.samples = encoder, segment, samples
        self.valid_sets, self.disturb, self.recipe = valid_sets, disturb, recipe
        self.device = next(model.parameters()).device

    def state(self, identity: str = "") -> RunState:
        """A new run."""
        steps = -(-len(self.samples) // self.recipe.batch_size)
        optimizer = make_optimizer(self.model, self.recipe)
        schedule = make_schedule(optimizer, self.recipe, -(-steps // self.recipe.accumulate))
        average = MovingAverage(self.model, self.recipe.average)
        return RunState(identity, average, optimizer, schedule, random.Random(self.recipe.seed))

    def plan(self) -> Plan:
        recipe = self.recipe
        return Plan(recipe.epochs, recipe.accumulate, recipe.clip, recipe.patience)

    def draw(self, epoch: int, rng: random.Random) -> Sequence[Sequence[Encoded]]:
        samples = [self.disturb(sample, rng) for sample in self.samples]
        labels = self.model.crf.labels
        examples = [encode(sample, self.encoder, self.segment, labels) for sample in samples]
        return length_batches(examples, self.recipe.batch_size, rows_of, rng, POOL)

    def loss(self, batch: Sequence[Encoded]) -> Tensor:
        with autocast(self.model):
            loss = self.model.loss(collate(batch, self.model.config.inputs.image_size).to(self.device))
        if self.recipe.l1:
            trained = [p for p in self.model.parameters() if p.requires_grad]
            loss = loss + self.recipe.l1 * sum(p.abs().sum() for p in trained)
        return loss

    def validate(self) -> Validation:
        scores = validate(self.model, self.encoder, self.segment, self.valid_sets)
        told = ", ".join(f"{name} {each['overall'].f1:.2f}" for name, each in scores.items())
        mean = sum(each["overall"].f1 for each in scores.values()) / len(scores)
        return Validation({"scores": plain(scores)}, f"F1 {told}", mean)


def train(
    model: SequenceTagger,
    encoder: PostEncoder,
    segment: Segment,
    train_samples: list[Sample],
    valid_sets: Sequence[ValidationSet],
    disturb: Augmenter,
    recipe: Recipe,
    out: Path,
    identity: str = "",
) -> Best:
    """Train `model`, continuing from `out/last.pt` if it exists. Returns the best epoch's averaged weights and scores.

    identity: identifies the run (data, model). Raises DataError if the run in `out` has another identity or recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    task = Tagging(model, encoder, segment, train_samples, valid_sets, disturb, recipe)
    run = task.state(json.dumps([identity, asdict(recipe), asdict(disturb.noise)]))
    files = RunFiles(out / "last.pt", out / "best.pt", out / "log.jsonl")
    if files.state.exists():
        run.restore(files.state)
    with TrainingProgress(LOSS) as progress:
        fit(task, task.plan(), run, progress, files)
    weights = torch.load(out / "best.pt", map_location="cpu", weights_only=True)
    scores = run.history[run.best_epoch - 1]["scores"]
    return Best(run.best_epoch, scores, weights, [_curve(line) for line in run.history])


def _curve(line: dict[str, Any]) -> dict[str, Any]:
    scores = {name: each["overall"]["f1"] for name, each in line["scores"].items()}
    return {key: line[key] for key in ("epoch", "loss", "seconds")} | {"f1": scores}


def plain(scores: dict[str, dict[str, Score]]) -> dict[str, Any]:
    """`validate`'s scores as JSON."""
    return {
        name: {type_: asdict(each) for type_, each in by_type.items()} for name, by_type in scores.items()
    }
