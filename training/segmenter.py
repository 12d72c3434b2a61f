"""Trains the hashtag segmenter (models/segmenter.py), section IV-D of TriMod: cross-entropy per character.

`train_segmenter` writes `segmenter.safetensors` (fp16) and `segmenter.json` (configuration, recipe, measured
figures). It chooses the epoch on hashtags held back from the training files; the dev files are read once, at
the end, to measure. An interrupted run goes on from its last whole epoch (`resume`), to the very weights that
it would have had.
"""

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.segmenter import Segmenter, SegmenterConfig
from training.conll import DataError
from training.hashtags import Corpus, Example, read_corpus, read_jsonl, read_tsv, recase, synthesize
from training.lexicon import fit, word_log_probabilities

log = logging.getLogger(__name__)

DEV_FILES = ("stan_large.dev", "boun.dev", "stanford.dev")
STATE = "segmenter.state.pt"


@dataclass(frozen=True)
class SegmenterRecipe:
    """How the segmenter is trained.

    manual, distant, synthetic: examples per epoch from stan_large.train (drawn anew, in varying case), from
    hashset_distant (the same), and made from text. patience: epochs without a better held-out figure before
    the run stops.
    """

    epochs: int = 14
    manual: int = 10_000
    distant: int = 8_000
    synthetic: int = 42_000
    held_out_share: float = 0.1
    held_out_synthetic: int = 1_000
    batch_size: int = 128
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    patience: int = 4
    seed: int = 1


@dataclass(frozen=True)
class Material:
    """Everything that a run learns from, and what it is chosen by; `skipped` lines per file did not align.

    held_out chooses the epoch; the lexicon's weight is chosen on its manual part and on `foreign`:
    hashset_manual, which is not trained on.
    """

    manual: list[Example]
    distant: list[Example]
    corpus: Corpus
    held_out: dict[str, list[Example]]
    foreign: list[Example]
    skipped: dict[str, int]


def train_segmenter(
    out_dir: Path,
    data: Path,
    recipe: SegmenterRecipe | None = None,
    config: SegmenterConfig | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train on `data` (with `hashtags/` and the corpora), write to `out_dir`, return the metrics."""
    recipe, config = recipe or SegmenterRecipe(), config or SegmenterConfig()
    material = read_material(data, recipe)
    out_dir.mkdir(parents=True, exist_ok=True)
    run = Run(recipe, config)
    if resume:
        run.restore(out_dir / STATE)
    with _progress(console) as progress:
        while run.epoch < recipe.epochs and run.epoch - run.best_epoch < recipe.patience:
            run.train_epoch(material, progress)
            run.save(out_dir / STATE)
    network = Segmenter(config)
    network.load_state_dict({name: _halved(value) for name, value in run.best.items()})
    words = word_log_probabilities(material.corpus, material.manual, material.distant)
    people = {"manual": material.held_out["manual"], "foreign": material.foreign}
    model = fit(network.eval(), words, people)
    return _write(out_dir, model, network, run, material, data)


def read_material(data: Path, recipe: SegmenterRecipe) -> Material:
    """The training files and the corpus; a share of stan_large.train is held back, by the recipe's seed."""
    manual = read_tsv(data / "hashtags/stan_large.train.tsv")
    distant = read_tsv(data / "hashtags/hashset_distant.tsv")
    foreign = read_jsonl(data / "hashtags/hashset_manual.jsonl")
    files = {"stan_large.train": manual, "hashset_distant": distant, "hashset_manual": foreign}
    skipped = {name: rows.skipped for name, rows in files.items()}
    for name, count in skipped.items():
        if count:
            log.warning("%s: skipped %d lines whose segmentation does not spell the hashtag", name, count)
    corpus = read_corpus(data)
    rng = random.Random(recipe.seed)
    shuffled = rng.sample(manual.examples, len(manual.examples))
    held = max(1, int(len(shuffled) * recipe.held_out_share))
    held_out = {"manual": shuffled[:held], "synthetic": synthesize(corpus, recipe.held_out_synthetic, rng)}
    kept = {example.hashtag.lower() for example in held_out["manual"]}
    train = [example for example in shuffled[held:] if example.hashtag.lower() not in kept]
    apart = [example for example in distant.examples if example.hashtag.lower() not in kept]
    return Material(train, apart, corpus, held_out, foreign.examples, skipped)


class Run:
    """A training run between two epochs: all that must be stored to go on as if nothing had happened."""

    def __init__(self, recipe: SegmenterRecipe, config: SegmenterConfig) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.config = recipe, config
        self.model = Segmenter(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=recipe.learning_rate)
        steps = recipe.epochs * math.ceil(
            (recipe.manual + recipe.distant + recipe.synthetic) / recipe.batch_size
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, _warm_cosine(recipe.warmup_steps, steps)
        )
        self.epoch = self.best_epoch = 0
        self.best_score = -1.0
        self.best: dict[str, Tensor] = {}
        self.history: list[dict[str, float]] = []

    def train_epoch(self, material: Material, progress: Progress) -> None:
        """One epoch over freshly drawn examples, then the held-out figures; keeps the best weights."""
        started = time.monotonic()
        rng = random.Random(self.recipe.seed * 1_000_003 + self.epoch)
        examples = draw(material, self.recipe, rng)
        self.model.train()
        total = 0.0
        batches = length_batches(examples, self.recipe.batch_size, rng)
        task = progress.add_task(f"epoch {self.epoch + 1}/{self.recipe.epochs}", total=len(batches))
        for batch in batches:
            total += self._step(batch) * len(batch)
            progress.advance(task)
        self.epoch += 1
        self._judge(material, total / len(examples), time.monotonic() - started)

    def _step(self, batch: Sequence[Example]) -> float:
        loss = batch_loss(self.model, batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def _judge(self, material: Material, loss: float, seconds: float) -> None:
        self.model.eval()
        scores = {name: exact_match(self.model, examples) for name, examples in material.held_out.items()}
        score = sum(scores.values()) / len(scores)
        self.history.append({"epoch": self.epoch, "loss": loss, "seconds": seconds, **scores})
        log.info("epoch %d: loss %.4f, held out %s, %.0f s", self.epoch, loss, scores, seconds)
        if score > self.best_score:
            self.best_score, self.best_epoch = score, self.epoch
            self.best = {name: value.clone() for name, value in self.model.state_dict().items()}

    def save(self, path: Path) -> None:
        """Store the run, whole or not at all."""
        state = {
            "recipe": _plain(self.recipe),
            "config": _plain(self.config),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "progress": (self.epoch, self.best_epoch, self.best_score, self.best, self.history),
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a stored run; DataError if there is none or it was another recipe."""
        if not path.exists():
            raise DataError(f"nothing to resume: {path} does not exist; start without --resume")
        state = torch.load(path, weights_only=True)
        if (state["recipe"], state["config"]) != (_plain(self.recipe), _plain(self.config)):
            raise DataError(
                f"{path} is of a run with other settings; repeat those, or start without --resume"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        self.epoch, self.best_epoch, self.best_score, self.best, self.history = state["progress"]


def draw(material: Material, recipe: SegmenterRecipe, rng: random.Random) -> list[Example]:
    """One epoch's examples."""
    manual = [_maybe_recase(example, 0.5, rng) for example in rng.choices(material.manual, k=recipe.manual)]
    distant = [
        _maybe_recase(example, 0.65, rng) for example in rng.choices(material.distant, k=recipe.distant)
    ]
    return manual + distant + synthesize(material.corpus, recipe.synthetic, rng)


def length_batches(examples: Sequence[Example], size: int, rng: random.Random) -> list[list[Example]]:
    """Batches of like lengths, in random order."""
    order = sorted(examples, key=lambda example: (len(example.hashtag), rng.random()))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def batch_loss(model: Segmenter, batch: Sequence[Example]) -> Tensor:
    """Mean binary cross-entropy over the places where a space could be: after each character but the last."""
    chars, cases, lengths = model.encode([example.hashtag for example in batch])
    targets = torch.zeros(chars.shape)
    for row, example in enumerate(batch):
        targets[row, : len(example.hashtag)] = torch.tensor(example.spaces(), dtype=torch.float32)
    inner = torch.arange(chars.shape[1]) < (lengths - 1)[:, None]
    losses = binary_cross_entropy_with_logits(model(chars, cases, lengths), targets, reduction="none")
    return (losses * inner).sum() / inner.sum().clamp(min=1)


def exact_match(model: Segmenter, examples: Sequence[Example]) -> float:
    """The share of hashtags that are cut exactly as they should be (case is never changed, so cannot
    differ).
    """
    predicted = model.segment([example.hashtag for example in examples])
    right = sum(got == " ".join(example.words) for got, example in zip(predicted, examples, strict=True))
    return right / len(examples)


def _write(
    out_dir: Path, model: Segmenter, network: Segmenter, run: Run, material: Material, data: Path
) -> dict[str, Any]:
    """The weights as they are served, and what was measured with exactly these, beside the bare network."""
    sets = {**material.held_out, "hashset_manual": material.foreign}
    sets |= {name: read_tsv(data / f"hashtags/{name}.tsv").examples for name in DEV_FILES}
    metrics: dict[str, Any] = {
        "exact_match": {name: exact_match(model, examples) for name, examples in sets.items()},
        "exact_match_network_alone": {
            name: exact_match(network, examples) for name, examples in sets.items()
        },
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best_epoch": run.best_epoch,
        "skipped": material.skipped,
        "history": run.history,
    }
    tensors = {name: _halved(value) for name, value in model.state_dict().items()}
    save_file(tensors, out_dir / "segmenter.safetensors")
    report = {"config": asdict(model.config), "recipe": asdict(run.recipe), "metrics": metrics}
    (out_dir / "segmenter.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    return metrics


def _halved(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _maybe_recase(example: Example, chance: float, rng: random.Random) -> Example:
    return recase(example, rng) if rng.random() < chance else example


def _warm_cosine(warmup: int, steps: int) -> Callable[[int], float]:
    """Learning-rate factor: a linear rise, then half a cosine down to zero."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return factor


def _plain(settings: SegmenterRecipe | SegmenterConfig) -> dict[str, Any]:
    """As JSON would have it, to compare stored settings with present ones."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(asdict(settings)))
    return plain


def _progress(console: Console | None) -> Progress:
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console or Console(stderr=True))
