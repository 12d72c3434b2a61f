"""Trains the captioner (models/vision/captioner.py) on Flickr8k and measures BLEU-4 on held-out photographs.

`train_captioner` writes `captioner.safetensors` (fp16) and `captioner.json` (configuration, recipe, measured
figures). The best epoch is selected by BLEU-4 of the averaged weights on the 1,000 validation photographs. The 1,000
test photographs are read once, at the end, with the weights as stored. An interrupted run continues after its last
complete epoch.

BLEU-4 is sacrebleu's corpus BLEU (0-100) of one caption per photograph against its five references. Both sides are
lower-cased, stripped of punctuation as in COCO's caption evaluation (training/captioning/flickr8k.py `caption_words`),
and split at spaces."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR

from models.checkpoints.tensor_files import save_tensors
from models.vision.captioner import END, PAD, SPECIAL, START, UNKNOWN, Captioner, CaptionerConfig, select
from training.captioning.bleu import bleu4
from training.captioning.flickr8k import HELD_BACK, Grids, Photo, Split, read_photos, region_features, split
from training.data.batching import chunks, length_batches
from training.engine.ema import MovingAverage
from training.engine.loop import LOSS, Plan, RunFiles, Task, Validation, fit
from training.engine.precision import bfloat16_is_faster
from training.engine.progress import TrainingProgress
from training.engine.run_state import RunState
from training.errors import DataError

LEAST_OCCURRENCES = 5
"""Minimum occurrences of a word in the training captions to be in the vocabulary."""
STATE, BEST = "captioner.state.pt", "captioner.best.pt"
CPU = torch.device("cpu")
Pair = tuple[Photo, tuple[str, ...]]
"""A photograph and one of its captions."""


@dataclass(frozen=True)
class CaptionerRecipe:
    """How the captioner is trained.

    batch_size: in captions. rate: constant after warmup_steps. The running average of the weights, with decay
    `average`, is evaluated and kept. It does not need a falling rate, so a run may be continued with more epochs.
    patience: epochs without a better BLEU-4 after which training stops.
    """

    epochs: int = 12
    batch_size: int = 128
    rate: float = 1.5e-3
    weight_decay: float = 1e-3
    warmup_steps: int = 100
    label_smoothing: float = 0.1
    average: float = 0.997
    clip: float = 5.0
    patience: int = 4
    held_back: int = HELD_BACK
    seed: int = 1


def train_captioner(
    out: Path,
    data: Path,
    recipe: CaptionerRecipe | None = None,
    objects: int = 16,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train on `data/captions.csv` and `data/images`, and write to `out`. Returns the metrics.

    objects: k, the number of regions attended to. A run in `out` is continued. Raises DataError if its settings differ.
    """
    recipe, console = recipe or CaptionerRecipe(), console or Console(stderr=True)
    photos = read_photos(data)
    parts = split(photos, recipe.held_back)
    out.mkdir(parents=True, exist_ok=True)
    selected = select_all(region_features(data, photos, out, console), objects)
    task = Captioning(recipe, CaptionerConfig(vocabulary(parts.train), objects), parts, selected)
    run, files = task.state(), RunFiles(out / STATE, out / BEST)
    if files.state.exists():
        run.restore(files.state)
    with TrainingProgress(LOSS, console=console) as progress:
        fit(task, task.plan(), run, progress, files)
    return _write(out, task, run)


def vocabulary(photos: Sequence[Photo]) -> tuple[str, ...]:
    """The words with at least LEAST_OCCURRENCES occurrences in the captions, most frequent first."""
    counts = Counter(word for photo in photos for caption in photo.captions for word in caption)
    frequent = [word for word, count in counts.items() if count >= LEAST_OCCURRENCES]
    return tuple(sorted(frequent, key=lambda word: (-counts[word], word)))


class Captioning(Task[Sequence[Pair]]):
    """Uses every training caption with its photograph in each epoch; scored by BLEU-4 on the validation set."""

    def __init__(
        self, recipe: CaptionerRecipe, config: CaptionerConfig, parts: Split, selected: Tensor
    ) -> None:
        self.bfloat16 = bfloat16_is_faster(
            CPU
        )  # before seeding, because the measurement draws random numbers
        torch.manual_seed(recipe.seed)
        self.recipe, self.config, self.parts, self.selected = recipe, config, parts, selected
        self.numbers = {word: number for number, word in enumerate(config.vocabulary, SPECIAL)}
        self.model: Captioner = Captioner(config)

    def state(self) -> RunState:
        """A new run; it may be continued with other numbers of epochs and patience."""
        recipe = self.recipe
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
        )
        schedule = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / recipe.warmup_steps))
        average = MovingAverage(self.model, recipe.average, from_first_step=True)
        same = asdict(recipe) | {"epochs": None, "patience": None}
        identity = json.dumps([same, asdict(self.config)])
        return RunState(identity, average, optimizer, schedule, random.Random(recipe.seed))

    def plan(self) -> Plan:
        return Plan(self.recipe.epochs, clip=self.recipe.clip, patience=self.recipe.patience)

    def draw(self, epoch: int, rng: random.Random) -> Sequence[Sequence[Pair]]:
        rng.seed(self.recipe.seed * 1_000_003 + epoch)  # an epoch's order depends only on this
        return caption_batches(self.parts.train, self.recipe.batch_size, rng)

    def loss(self, batch: Sequence[Pair]) -> Tensor:
        captions = caption_tensor([caption for _, caption in batch], self.numbers, self.config.max_words)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(rows(self.selected, [photo for photo, _ in batch]), captions[..., :-1])
        return caption_loss(logits, captions[..., 1:], self.recipe.label_smoothing)

    def validate(self) -> Validation:
        valid = self.parts.valid
        score: float = bleu4(describe(self.model, valid, self.selected), valid)["bleu4"]
        return Validation({"valid": score}, f"valid BLEU-4 {score:.2f}", score)


def caption_batches(photos: Sequence[Photo], size: int, rng: random.Random) -> list[Sequence[Pair]]:
    """Every caption with its photograph once, in batches of similar length, in random order."""
    pairs = [(photo, caption) for photo in photos for caption in photo.captions]
    return length_batches(pairs, size, lambda pair: len(pair[1]), rng)


def select_all(grids: Grids, objects: int) -> Tensor:
    """The captioner's input features of every photograph, float16 [photographs, 1 + objects, 1280], in memory."""
    parts = (grids[start : start + 256].astype(np.float32) for start in range(0, len(grids), 256))
    return torch.cat([select(torch.from_numpy(part), objects).half() for part in parts])


def rows(selected: Tensor, photos: Sequence[Photo]) -> Tensor:
    """The rows of `selected` (from `select_all`) for these photographs, in float32."""
    return selected[[photo.row for photo in photos]].float()


def caption_tensor(captions: Sequence[Sequence[str]], numbers: dict[str, int], max_words: int) -> Tensor:
    """Word ids [n, 1, t]: START, at most `max_words` words, END if the caption is shorter, then PAD."""
    numbered = [
        torch.tensor([START, *(numbers.get(word, UNKNOWN) for word in caption), END][: max_words + 1])
        for caption in captions
    ]
    return pad_sequence(numbered, batch_first=True, padding_value=PAD)[:, None]


def caption_loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy of the targets [n, m, t], without padding and words outside the vocabulary."""
    wanted = targets.masked_fill(targets == UNKNOWN, PAD).flatten()
    return cross_entropy(logits.flatten(0, 2).float(), wanted, ignore_index=PAD, label_smoothing=smoothing)


def describe(
    model: Captioner, photos: Sequence[Photo], selected: Tensor, batch_size: int = 50
) -> list[list[str]]:
    """The model's caption for each photograph."""
    model.eval()
    return [
        caption
        for batch in chunks(photos, batch_size)
        for caption in model.caption_selected(rows(selected, batch))
    ]


def load_captioner(folder: Path) -> Captioner:
    """The captioner that `trimod train captioner` wrote to `folder`, in float32. Raises DataError if there is none."""
    try:
        config = CaptionerConfig.of(json.loads((folder / "captioner.json").read_text("utf-8"))["config"])
        weights = load_file(folder / "captioner.safetensors")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"no trained captioner in {folder}: {error}") from None
    captioner = Captioner(config)
    captioner.load_state_dict(weights)
    return captioner.eval()


def _write(out: Path, task: Captioning, run: RunState) -> dict[str, Any]:
    """Write the weights as served, and the figures measured with exactly these."""
    best = torch.load(out / BEST, weights_only=True)
    tensors = {name: value.half() for name, value in best.items()}
    parts, selected = task.parts, task.selected
    model = Captioner(task.config)
    model.load_state_dict(tensors)
    metrics: dict[str, Any] = {
        "test": bleu4(describe(model, parts.test, selected), parts.test),
        "valid": bleu4(describe(model, parts.valid, selected), parts.valid),
        "photographs": {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)},
        "vocabulary": len(task.config.vocabulary),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best_epoch": run.best_epoch,
        "bfloat16": task.bfloat16,
        "history": run.history,
    }
    save_tensors(tensors, out / "captioner.safetensors")
    report = {"config": asdict(task.config), "recipe": asdict(task.recipe), "metrics": metrics}
    (out / "captioner.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    return metrics
