"""Trains the hashtag segmenter (models/hashtags/segmenter.py), section IV-D of TriMod: cross-entropy per character.

Three stages. The network learns from made-up and machine-segmented hashtags, its character table starting from
skip-gram vectors (section IV-C). It is then tuned on stan_large.train, once per fold without that fold and once on all.
With the log odds that the fold's network gives to hashtags it has not seen, the lexicon's weights are fitted
(training/hashtags/lexicon.py) and the ranker trained (training/hashtags/ranker.py), and the whole is cross-validated.

`train_segmenter` writes `segmenter.safetensors` (fp16) and `segmenter.json` (configuration, recipe, measured
figures). The dev files are read once, at the end, to measure. An interrupted run goes on from its last whole
epoch or fold (`resume`), to the very weights that it would have had.
"""

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.checkpoints.tensor_files import save_tensors
from models.hashtags.segmenter import FIRST_KNOWN, Segmenter, SegmenterConfig
from training.engine.progress import Watch
from training.engine.run_state import save_state
from training.errors import DataError
from training.hashtags.character_vectors import character_vectors
from training.hashtags.corpus import Example, read_tsv
from training.hashtags.frequencies import english
from training.hashtags.lexicon import Lists, add, fit, lists, share_right
from training.hashtags.material import (
    Material,
    SegmenterRecipe,
    draw,
    folds,
    length_batches,
    maybe_recase,
    read_material,
    without,
)
from training.hashtags.notice import write_notice
from training.hashtags.ranker import train_ranker
from training.hashtags.scoring import DEV_FILES, exact_match, wordninja_exact_match

log = logging.getLogger(__name__)


STATE = "segmenter.state.pt"


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
    else:
        run.start(material)
    with Watch(console=console) as progress:
        while run.epoch < recipe.epochs:
            run.train_epoch(material, progress)
            run.save(out_dir / STATE)
        while len(run.unseen) < recipe.folds:
            run.tune_fold(material, progress)
            run.save(out_dir / STATE)
        network = tune(run.model, material.manual, material, recipe, recipe.folds, progress)
        return _write(out_dir, network, run, material, data, progress.console)


class Run:
    """A training run between two epochs or folds: all that must be stored to go on as if nothing had happened.

    unseen: for each fold done, the log odds of its hashtags by a network tuned without them.
    """

    def __init__(self, recipe: SegmenterRecipe, config: SegmenterConfig) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.config = recipe, config
        self.model = Segmenter(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=recipe.learning_rate)
        steps = recipe.epochs * math.ceil(
            (recipe.distant + recipe.people + recipe.synthetic) / recipe.batch_size
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, _warm_cosine(recipe.warmup_steps, steps)
        )
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.unseen: list[list[list[float]]] = []

    @torch.no_grad()
    def start(self, material: Material) -> None:
        """The characters' skip-gram vectors, learnt from hashtags of the kinds of the first stage."""
        if self.recipe.skip_gram:
            texts = [
                example.hashtag for example in draw(material, self.recipe, random.Random(self.recipe.seed))
            ]
            table, known = self.model.chars.weight, self.config.characters
            vectors = character_vectors(texts, known, self.config.char_dim, self.recipe.seed)
            for char, vector in vectors.items():
                table[FIRST_KNOWN + known.index(char)] = vector

    def train_epoch(self, material: Material, progress: Progress) -> None:
        """One epoch of the first stage over freshly drawn examples, then figures on what it does not see."""
        started = time.monotonic()
        rng = random.Random(self.recipe.seed * 1_000_003 + self.epoch)
        examples = draw(material, self.recipe, rng)
        batches = length_batches(examples, self.recipe.batch_size, rng)
        task = progress.add_task(f"epoch {self.epoch + 1}/{self.recipe.epochs}", total=len(batches))
        total = 0.0
        self.model.train()
        for batch in batches:
            total += _step(self.model, self.optimizer, self.schedule, batch) * len(batch)
            progress.advance(task)
        self.epoch += 1
        self.model.eval()
        sets = {"stan_large.train": material.manual, "synthetic": material.synthetic}
        scores = {name: exact_match(self.model, examples) for name, examples in sets.items()}
        seconds = time.monotonic() - started
        self.history.append(
            {"epoch": self.epoch, "loss": total / len(examples), "seconds": seconds, **scores}
        )
        shares = ", ".join(f"{name} {share:.1%}" for name, share in scores.items())
        mean = total / len(examples)
        progress.console.print(
            f"epoch {self.epoch}: loss {mean:.4f}, exactly right {shares}, {seconds:.0f} s"
        )

    def tune_fold(self, material: Material, progress: Progress) -> None:
        """The next fold's log odds, by a network tuned on all other folds."""
        fold = len(self.unseen)
        held = folds(material.manual, self.recipe)[fold]
        rest = without(material.manual, held)
        network = tune(self.model, rest, material, self.recipe, fold, progress)
        self.unseen.append(network.odds([example.hashtag for example in held]))

    def save(self, path: Path) -> None:
        """Store the run, whole or not at all."""
        state = {
            "recipe": _plain(self.recipe),
            "config": _plain(self.config),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "progress": (self.epoch, self.history, self.unseen),
        }
        save_state(state, path)

    def restore(self, path: Path) -> None:
        """Go on from a stored run; DataError if there is none or it was another recipe."""
        if not path.exists():
            raise DataError(f"nothing to resume: {path} does not exist")
        state = torch.load(path, weights_only=True)
        if (state["recipe"], state["config"]) != (_plain(self.recipe), _plain(self.config)):
            raise DataError(f"{path} is of a run with other settings; repeat those, or give another --out")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        self.epoch, self.history, self.unseen = state["progress"]


def tune(
    start: Segmenter,
    examples: Sequence[Example],
    material: Material,
    recipe: SegmenterRecipe,
    fold: int,
    progress: Progress,
) -> Segmenter:
    """A copy of the network, trained further on these hashtags; random numbers depend on seed and fold alone."""
    torch.manual_seed(recipe.seed * 1_009 + fold)
    rng = random.Random(recipe.seed * 2_003 + fold)
    network = Segmenter(start.config)
    network.load_state_dict(start.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.tune_rate)
    batches = []
    for _ in range(recipe.tune_epochs):
        mixed = rng.sample(draw(material, recipe, rng, share=0.1), recipe.tune_mixed)
        seen = [maybe_recase(example, 0.4, rng) for example in examples]
        batches += length_batches(seen + mixed, recipe.tune_batch_size, rng)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_cosine(20, len(batches)))
    task = progress.add_task(f"tuning {fold + 1}/{recipe.folds + 1}", total=len(batches))
    network.train()
    for batch in batches:
        _step(network, optimizer, schedule, batch)
        progress.advance(task)
    return network.eval()


def _step(
    model: Segmenter,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    batch: Sequence[Example],
) -> float:
    loss = batch_loss(model, batch)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    return loss.item()


def batch_loss(model: Segmenter, batch: Sequence[Example]) -> Tensor:
    """Mean binary cross-entropy over the places where a space could be: after each character but the last."""
    chars, cases, lengths = model.encode([example.hashtag for example in batch])
    targets = torch.zeros(chars.shape)
    for row, example in enumerate(batch):
        targets[row, : len(example.hashtag)] = torch.tensor(example.spaces(), dtype=torch.float32)
    inner = torch.arange(chars.shape[1]) < (lengths - 1)[:, None]
    losses = binary_cross_entropy_with_logits(model(chars, cases, lengths), targets, reduction="none")
    return (losses * inner).sum() / inner.sum().clamp(min=1)


def cross_validate(run: Run, parts: Sequence[Sequence[Example]], found: Lists) -> dict[str, float]:
    """Exact match on stan_large.train, every fold by a network, weights and a ranker that know only the others;
    beside it, without the ranker and by the network alone."""
    right = {"segmenter": 0.0, "lexicon_alone": 0.0, "network_alone": 0.0}
    total = sum(map(len, parts))
    for fold, held in enumerate(parts):
        others = [index for index in range(len(parts)) if index != fold]
        examples = [example for index in others for example in parts[index]]
        odds = [row for index in others for row in run.unseen[index]]
        lexicon = fit(found, examples, odds, run.recipe.penalty)
        ranker = train_ranker(lexicon, examples, odds, run.recipe.seed)
        unseen = run.unseen[fold]
        right["segmenter"] += share_right(partial(ranker.cut, lexicon), held, unseen) * len(held) / total
        right["lexicon_alone"] += share_right(lexicon.cut, held, unseen) * len(held) / total
        alone = (
            [odd > 0 for odd in row[:-1]] == [space == 1 for space in example.spaces()[:-1]]
            for example, row in zip(held, unseen, strict=True)
        )
        right["network_alone"] += sum(alone) / total
    return right


def _write(
    out_dir: Path, network: Segmenter, run: Run, material: Material, data: Path, console: Console
) -> dict[str, Any]:
    """The weights as they are served, and what was measured with exactly these, beside the bare network."""
    found, parts = lists(english(), material.corpus.posts), folds(material.manual, run.recipe)
    validated = cross_validate(run, parts, found)
    shares = ", ".join(f"{name} {share:.1%}" for name, share in validated.items())
    console.print(f"cross-validation on stan_large.train, exactly right: {shares}")
    examples = [example for part in parts for example in part]
    odds = [row for rows in run.unseen for row in rows]
    lexicon = fit(found, examples, odds, run.recipe.penalty)
    ranker = train_ranker(lexicon, examples, odds, run.recipe.seed)
    for module in (network, ranker):
        module.load_state_dict({name: _halved(value) for name, value in module.state_dict().items()})
    model = add(network, found, lexicon.config.weights, ranker)
    sets = {name: read_tsv(data / f"hashtags/{name}.tsv").examples for name in DEV_FILES}
    metrics: dict[str, Any] = {
        "exact_match": {name: exact_match(model, examples) for name, examples in sets.items()},
        "exact_match_network_alone": {name: exact_match(network, rows) for name, rows in sets.items()},
        "exact_match_wordninja": {name: wordninja_exact_match(rows) for name, rows in sets.items()},
        "cross_validation": validated,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "skipped": material.skipped,
        "history": run.history,
    }
    tensors = {name: _halved(value) for name, value in model.state_dict().items()}
    save_tensors(tensors, out_dir / "segmenter.safetensors")
    report = {"config": asdict(model.config), "recipe": asdict(run.recipe), "metrics": metrics}
    write_notice(out_dir, model.config.lexicon)
    (out_dir / "segmenter.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    return metrics


def _halved(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


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
