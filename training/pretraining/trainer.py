"""Trains a text encoder further by masked-language modelling; what training/engine/loop.py draws and measures.

The loop's epochs are parts of a pass over the posts, so that the run is saved every few minutes. In the first part only
the head is trained, which starts from random weights: its gradients would disturb the encoder. Parts with new masks
follow. The last part's weights are kept, since the rate falls to zero; the held-out loss is measured after each part.

A stopped run continues from its last whole part, to exactly the weights that it would have had.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from models.core.batch import collate
from training.data.batching import length_batches
from training.engine.ema import MovingAverage
from training.engine.fast_dropout import quicken_dropout
from training.engine.loop import LOSS, Plan, RunFiles, Task, Validation, fit
from training.engine.precision import bfloat16_is_faster
from training.engine.progress import TrainingProgress
from training.engine.run_state import RunState
from training.pretraining.corpus import PostMasker, Posts, read_posts
from training.pretraining.encoder_file import write_encoder
from training.pretraining.masking import Masked
from training.pretraining.mixed_precision import call_in_bfloat16, cast_frozen
from training.pretraining.model import MaskedLanguageModel
from training.pretraining.recipe import MaskedLanguageRecipe
from training.provenance import data_hashes

STATE, LOG = "mlm.state.pt", "log.jsonl"
POOL = 50
"""Batches of a part that are cut by length together."""
IMAGE_SIZE = 1
"""Of the batches: posts are read without their images."""
Batch = Sequence[Masked]


def train_masked_language(
    out: Path,
    files: Sequence[Path],
    recipe: MaskedLanguageRecipe,
    device: torch.device,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train on the posts in `files`, write the encoder to `out`, return the report; see encoder_file.py.

    A run in `out` continues; DataError if it had other settings or data.
    """
    out.mkdir(parents=True, exist_ok=True)
    posts, data = read_posts(files, recipe.held_out, recipe.seed), data_hashes(files)
    task = MaskedLanguage(recipe, posts, device)
    run = task.state(json.dumps([asdict(recipe), data]))
    state = RunFiles(out / STATE, log=out / LOG)
    if state.state.exists():
        run.restore(state.state)
    with TrainingProgress(LOSS, console=console) as progress:
        progress.console.print(
            f"{len(posts.training)} posts to train on, {len(posts.held_out)} held out, {task.parts} parts, "
            f"{'bfloat16' if task.bfloat16 else 'float32'}"
        )
        fit(task, task.plan(), run, progress, state)
    report = {
        "recipe": asdict(recipe),
        "data": data,
        "posts": {"training": len(posts.training), "held_out": len(posts.held_out)},
        "bfloat16": task.bfloat16,
        "history": run.history,
    }
    return write_encoder(out, task.model.transformer, recipe.text_encoder, recipe.adapters, report)


class MaskedLanguage(Task[Batch]):
    """Posts with new masks in each pass; measured on held-out posts whose masks stay the same."""

    def __init__(self, recipe: MaskedLanguageRecipe, posts: Posts, device: torch.device) -> None:
        self.bfloat16 = bfloat16_is_faster(device)  # before the seed: it measures on random numbers
        torch.manual_seed(recipe.seed)
        self.recipe, self.posts, self.device = recipe, posts, device
        self.masker = PostMasker(recipe.text_encoder, recipe.share)
        self.held_out = self._batches(self.masker.mask(posts.held_out, random.Random(recipe.seed)))
        self.model: MaskedLanguageModel = MaskedLanguageModel(
            recipe.text_encoder, recipe.adapters, recipe.read_case
        )
        self.model.head.start_from(self._counts(), self.model.table)
        self.model.to(device)
        if self.bfloat16:
            cast_frozen(self.model)
        if device.type == "cpu":
            quicken_dropout(self.model)
        self.per_pass = -(-len(posts.training) // recipe.checkpoint_posts)
        self.parts = 1 + recipe.epochs * self.per_pass
        self.epoch, self.pieces, self.started = 0, 0, time.monotonic()

    def state(self, identity: str = "") -> RunState:
        """A run that has not begun."""
        recipe = self.recipe
        named = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for name, p in named if name.startswith("head.")], "lr": recipe.head_rate},
            {"params": [p for name, p in named if not name.startswith("head.")], "lr": recipe.rate},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)
        sizes = [-(-len(self._texts(part)) // recipe.batch_size) for part in range(self.parts)]
        schedule = LambdaLR(optimizer, list(recipe.factors(sizes[0], sum(sizes))))
        return RunState(
            identity, MovingAverage(self.model, 0.0), optimizer, schedule, random.Random(recipe.seed)
        )

    def plan(self) -> Plan:
        return Plan(self.parts, clip=self.recipe.clip, title="part")

    def draw(self, epoch: int, rng: random.Random) -> Sequence[Batch]:
        rng.seed(self.recipe.seed * 1_000_003 + epoch)  # a part's masks depend on nothing else
        batches = self._batches(self.masker.mask(self._texts(epoch), rng), rng)
        self.epoch, self.started = epoch, time.monotonic()
        self.pieces = sum(sum(each.encoded.rows) for batch in batches for each in batch)
        return batches

    def loss(self, batch: Batch) -> Tensor:
        return self._loss(batch, only_head=self.epoch == 0)

    def weight(self, step: Sequence[Batch]) -> float:
        return sum(map(_predicted, step))

    @torch.no_grad()
    def validate(self) -> Validation:
        speed = self.pieces / (time.monotonic() - self.started)
        total = sum(float(self._loss(batch)) * _predicted(batch) for batch in self.held_out)
        loss = total / sum(map(_predicted, self.held_out))
        figures = {"held_out_loss": loss, "pieces_per_second": round(speed)}
        return Validation(figures, f"held-out loss {loss:.4f}, {speed:.0f} pieces/s")

    def _texts(self, part: int) -> list[str]:
        """The posts of a part. The head's part has those of the first pass's first part."""
        turn, index = divmod(max(0, part - 1), self.per_pass)
        order = list(self.posts.training)
        random.Random(self.recipe.seed * 1_000_003 + turn).shuffle(order)
        return order[index :: self.per_pass]

    def _batches(self, masked: Sequence[Masked], rng: random.Random | None = None) -> list[Batch]:
        return length_batches(masked, self.recipe.batch_size, lambda each: each.encoded.rows[0], rng, POOL)

    def _counts(self) -> Tensor:
        """How often each piece occurs in the training posts [vocabulary]."""
        counts: Counter[int] = Counter()
        for text in self.posts.training:
            counts.update(self.masker.encode(text)[0].pieces[0])
        found = torch.zeros(len(self.model.table))
        found[list(counts)] = torch.tensor(list(counts.values()), dtype=found.dtype)
        return found

    def _loss(self, batch: Batch, only_head: bool = False) -> Tensor:
        """The mean cross-entropy of a batch's predicted pieces."""
        rows = torch.tensor([row for row, each in enumerate(batch) for _ in each.targets])
        columns = torch.tensor([column for each in batch for column in each.columns])
        targets = torch.tensor([target for each in batch for target in each.targets])
        inputs = collate([each.encoded for each in batch], IMAGE_SIZE).to(self.device)
        given = (inputs, rows.to(self.device), columns.to(self.device), only_head)
        scores = call_in_bfloat16(self.model, *given) if self.bfloat16 else self.model(*given)
        return cross_entropy(scores.float(), targets.to(self.device))


def _predicted(batch: Batch) -> int:
    return sum(len(each.targets) for each in batch)
