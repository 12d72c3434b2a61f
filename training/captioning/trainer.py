"""Trains the captioner (models/vision/captioner.py) on Flickr8k and measures BLEU-4 on photographs held back.

`train_captioner` writes `captioner.safetensors` (fp16) and `captioner.json` (configuration, recipe, measured
figures). Epochs are chosen by BLEU-4 on the 1,000 validation photographs, of the weights' running average; the
1,000 test photographs are read once, at the end, with the weights as they are written. An interrupted run goes on
from its last whole epoch.

BLEU-4 is sacrebleu's corpus BLEU (0-100) of one caption per photograph against its five: lower case, punctuation left
out on both sides, as COCO's caption evaluation has it (training/captioning/flickr8k.py `caption_words`), split at
spaces."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson
import torch
from rich.console import Console
from rich.progress import Progress
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from torch.optim.swa_utils import AveragedModel

from models.checkpoints.tensor_files import save_tensors
from models.vision.captioner import END, PAD, SPECIAL, START, UNKNOWN, Captioner, CaptionerConfig, select
from training.captioning.bleu import bleu4
from training.captioning.flickr8k import HELD_BACK, Grids, Photo, Split, read_photos, region_features, split
from training.engine.precision import bfloat16_is_faster
from training.engine.progress import Watch
from training.engine.run_state import save_state
from training.errors import DataError

LEAST_OCCURRENCES = 5
"""Times that a word must occur in the training captions to be in the vocabulary."""


STATE = "captioner.state.pt"


CPU = torch.device("cpu")


T = TypeVar("T")


Pair = tuple[Photo, tuple[str, ...]]
"""A photograph and one of its captions."""


@dataclass(frozen=True)
class CaptionerRecipe:
    """How the captioner is trained.

    batch_size: captions. rate: reached after warmup_steps, and constant from there: the running average of the
    weights, of decay `average`, is what is judged and kept, and needs no falling rate, so that a run may be continued
    with more epochs. patience: epochs without a better BLEU-4 before the run stops.
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
    """Train on `data/captions.csv` and `data/images`, write to `out`, return the metrics.

    objects: k, the regions attended to. A run in `out` goes on; DataError if it had other settings.
    """
    recipe, console = recipe or CaptionerRecipe(), console or Console(stderr=True)
    photos = read_photos(data)
    parts = split(photos, recipe.held_back)
    out.mkdir(parents=True, exist_ok=True)
    selected = select_all(region_features(data, photos, out, console), objects)
    run = Run(recipe, CaptionerConfig(vocabulary(parts.train), objects))
    if (out / STATE).exists():
        run.restore(out / STATE)
    with Watch(console=console) as progress:
        while run.epoch < recipe.epochs and run.epoch - run.best_epoch < recipe.patience:
            run.train_epoch(parts, selected, progress)
            run.save(out / STATE)
    return _write(out, run, parts, selected)


def vocabulary(photos: Sequence[Photo]) -> tuple[str, ...]:
    """The words that occur at least LEAST_OCCURRENCES times in the photographs' captions, frequent ones first."""
    counts = Counter(word for photo in photos for caption in photo.captions for word in caption)
    frequent = [word for word, count in counts.items() if count >= LEAST_OCCURRENCES]
    return tuple(sorted(frequent, key=lambda word: (-counts[word], word)))


class Run:
    """A training run between two epochs: all that must be stored to go on as if nothing had happened."""

    def __init__(self, recipe: CaptionerRecipe, config: CaptionerConfig) -> None:
        self.bfloat16 = bfloat16_is_faster(CPU)  # before the seed: it measures on random numbers
        torch.manual_seed(recipe.seed)
        self.recipe, self.config = recipe, config
        self.numbers = {word: number for number, word in enumerate(config.vocabulary, SPECIAL)}
        self.model = Captioner(config)
        self.average = AveragedModel(self.model, avg_fn=_moving_average(recipe.average))
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
        )
        self.epoch = self.best_epoch = self.steps = 0
        self.best_score = -1.0
        self.best: dict[str, Tensor] = {}
        self.history: list[dict[str, float]] = []

    def train_epoch(self, parts: Split, selected: Tensor, progress: Progress) -> None:
        """One epoch over the training photographs, then BLEU-4 on the validation ones; keeps the best weights."""
        started, total = time.monotonic(), 0.0
        rng = random.Random(self.recipe.seed * 1_000_003 + self.epoch)
        batches = length_batches(parts.train, self.recipe.batch_size, rng)
        task = progress.add_task(f"epoch {self.epoch + 1}/{self.recipe.epochs}", total=len(batches))
        self.model.train()
        for batch in batches:
            total += self._step(batch, selected)
            progress.advance(task)
        self.epoch += 1
        score = self._judge(parts.valid, selected, total / len(batches), time.monotonic() - started)
        progress.console.print(
            f"epoch {self.epoch}: loss {total / len(batches):.3f}, valid BLEU-4 {score:.2f}"
        )

    def _step(self, batch: Sequence[Pair], selected: Tensor) -> float:
        captions = caption_tensor([caption for _, caption in batch], self.numbers, self.config.max_words)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(rows(selected, [photo for photo, _ in batch]), captions[..., :-1])
        loss = caption_loss(logits, captions[..., 1:], self.recipe.label_smoothing)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * min(1.0, (self.steps + 1) / self.recipe.warmup_steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        self.steps += 1
        return loss.item()

    def _judge(self, valid: Sequence[Photo], selected: Tensor, loss: float, seconds: float) -> float:
        model = self.average.module
        assert isinstance(model, Captioner)
        score: float = bleu4(describe(model, valid, selected), valid)["bleu4"]
        self.history.append({"epoch": self.epoch, "loss": loss, "seconds": seconds, "valid": score})
        if score > self.best_score:
            self.best_score, self.best_epoch = score, self.epoch
            self.best = {name: value.clone() for name, value in model.state_dict().items()}
        return score

    def save(self, path: Path) -> None:
        """Store the run, whole or not at all."""
        state = {
            "recipe": asdict(self.recipe),
            "config": asdict(self.config),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "progress": (self.epoch, self.steps, self.best_epoch, self.best_score, self.best, self.history),
        }
        save_state(state, path)

    def restore(self, path: Path) -> None:
        """Go on from a stored run; DataError if it had other settings or other data."""
        state = torch.load(path, weights_only=True)
        same = {
            "epochs": self.recipe.epochs,
            "patience": self.recipe.patience,
        }  # either may be changed on the way
        if (state["recipe"] | same, state["config"]) != (asdict(self.recipe), asdict(self.config)):
            raise DataError(
                f"{path} is of a run with other settings or data: repeat those, or use another --out"
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        self.epoch, self.steps, self.best_epoch, self.best_score, self.best, self.history = state["progress"]


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential moving average that at first forgets faster: nothing stays in it of the random beginning."""

    def update(average: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        return average.lerp(new, max(1 - decay, 9 / (10 + int(updates))))

    return update


def length_batches(photos: Sequence[Photo], size: int, rng: random.Random) -> list[Sequence[Pair]]:
    """Every caption with its photograph once, in batches of like lengths, in random order."""
    pairs = [(photo, caption) for photo in photos for caption in photo.captions]
    pairs.sort(key=lambda pair: (len(pair[1]), rng.random()))
    batches = batched(pairs, size)
    rng.shuffle(batches)
    return batches


def batched(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def select_all(grids: Grids, objects: int) -> Tensor:
    """What the captioner looks at in every photograph, float16 [photographs, 1 + objects, 1280], in memory."""
    parts = (grids[start : start + 256].astype(np.float32) for start in range(0, len(grids), 256))
    return torch.cat([select(torch.from_numpy(part), objects).half() for part in parts])


def rows(selected: Tensor, photos: Sequence[Photo]) -> Tensor:
    """The photographs' part of what `select_all` gave, in float32."""
    return selected[[photo.row for photo in photos]].float()


def caption_tensor(captions: Sequence[Sequence[str]], numbers: dict[str, int], max_words: int) -> Tensor:
    """Word numbers [n, 1, t]: START, at most `max_words` words or, in a shorter caption, END; then PAD."""
    numbered = [
        torch.tensor([START, *(numbers.get(word, UNKNOWN) for word in caption), END][: max_words + 1])
        for caption in captions
    ]
    return pad_sequence(numbered, batch_first=True, padding_value=PAD)[:, None]


def caption_loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy of the targets [n, m, t]; neither padding nor words outside the vocabulary count."""
    wanted = targets.masked_fill(targets == UNKNOWN, PAD).flatten()
    return cross_entropy(logits.flatten(0, 2).float(), wanted, ignore_index=PAD, label_smoothing=smoothing)


def describe(
    model: Captioner, photos: Sequence[Photo], selected: Tensor, batch_size: int = 50
) -> list[list[str]]:
    """The model's caption of each photograph."""
    model.eval()
    return [
        caption
        for batch in batched(photos, batch_size)
        for caption in model.caption_selected(rows(selected, batch))
    ]


def load_captioner(folder: Path) -> Captioner:
    """The captioner that `trimod train captioner` wrote to `folder`, in float32. Raises DataError."""
    try:
        config = CaptionerConfig.of(json.loads((folder / "captioner.json").read_text("utf-8"))["config"])
        weights = load_file(folder / "captioner.safetensors")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"no trained captioner in {folder}: {error}") from None
    captioner = Captioner(config)
    captioner.load_state_dict(weights)
    return captioner.eval()


def _write(out: Path, run: Run, parts: Split, selected: Tensor) -> dict[str, Any]:
    """The weights as they are served, and what was measured with exactly these."""
    tensors = {name: value.half() for name, value in run.best.items()}
    model = Captioner(run.config)
    model.load_state_dict(tensors)
    metrics: dict[str, Any] = {
        "test": bleu4(describe(model, parts.test, selected), parts.test),
        "valid": bleu4(describe(model, parts.valid, selected), parts.valid),
        "photographs": {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)},
        "vocabulary": len(run.config.vocabulary),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best_epoch": run.best_epoch,
        "bfloat16": run.bfloat16,
        "history": run.history,
    }
    save_tensors(tensors, out / "captioner.safetensors")
    report = {"config": asdict(run.config), "recipe": asdict(run.recipe), "metrics": metrics}
    (out / "captioner.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    return metrics
