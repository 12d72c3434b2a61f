"""Trains the hashtag segmenter (models/hashtags/segmenter.py), section IV-D of TriMod: cross-entropy per character.

There are three stages. First, the network is trained on synthetic and machine-segmented hashtags; its character table
is initialized with skip-gram vectors (section IV-C). Second, it is tuned on stan_large.train: once per fold without
that fold, and once on all. Third, out-of-fold log odds are used to fit the lexicon's weights
(training/hashtags/lexicon.py), to train the ranker (training/hashtags/ranker.py), and to cross-validate the result.

`train_segmenter` writes `segmenter.safetensors` (fp16) and `segmenter.json` (configuration, recipe, measured
figures). The dev files are read once, at the end, for evaluation. `resume` continues an interrupted run after its last
complete epoch or fold; the resulting weights are the same as without the interruption.
"""

import json
import logging
import math
import random
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
from training.data.batching import length_batches
from training.engine.ema import MovingAverage
from training.engine.loop import LOSS, Plan, RunFiles, Task, Validation, fit
from training.engine.progress import TrainingProgress
from training.engine.run_state import RunState
from training.errors import DataError
from training.hashtags.character_vectors import character_vectors
from training.hashtags.corpus import Example, read_tsv
from training.hashtags.frequencies import english
from training.hashtags.lexicon import LexiconTables, add, lists, share_right
from training.hashtags.lexicon import fit as fit_lexicon
from training.hashtags.material import (
    SegmenterData,
    SegmenterRecipe,
    draw,
    folds,
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
    """Train on `data` (with `hashtags/` and the corpora) and write to `out_dir`. Returns the metrics."""
    recipe, config = recipe or SegmenterRecipe(), config or SegmenterConfig()
    material = read_material(data, recipe)
    out_dir.mkdir(parents=True, exist_ok=True)
    task = FirstStage(recipe, config, material)
    if not resume:
        task.start()
    run, files = task.state(), RunFiles(out_dir / STATE)
    if resume:
        if not files.state.exists():
            raise DataError(f"nothing to resume: {files.state} does not exist")
        run.restore(files.state)
    with TrainingProgress(LOSS, console=console) as progress:
        fit(task, Plan(recipe.epochs), run, progress, files)
        unseen = run.extra["unseen"]
        while len(unseen) < recipe.folds:
            unseen.append(odds_of_fold(task, len(unseen), progress))
            run.save(files.state)
        network = tune(task, material.manual, recipe.folds, progress)
        return _write(out_dir, network, run, material, recipe, data, progress.console)


class SegmenterTask(Task[Sequence[Example]]):
    """Trains a network to find word boundaries in hashtags."""

    def __init__(self, recipe: SegmenterRecipe, config: SegmenterConfig, material: SegmenterData) -> None:
        self.recipe, self.material = recipe, material
        self.model: Segmenter = Segmenter(config)

    def loss(self, batch: Sequence[Example]) -> Tensor:
        return batch_loss(self.model, batch)

    def weight(self, step: Sequence[Sequence[Example]]) -> float:
        return sum(map(len, step))

    def begun(self, rng: random.Random, rate: float, warmup: int, steps: int, identity: str = "") -> RunState:
        """A new run: the rate rises linearly and falls to zero on half a cosine; no averaged weights."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_cosine(warmup, steps))
        return RunState(identity, MovingAverage(self.model, 0.0), optimizer, schedule, rng)


class FirstStage(SegmenterTask):
    """Synthetic and machine-segmented hashtags, drawn again in each epoch; evaluated on held-out ones."""

    def __init__(self, recipe: SegmenterRecipe, config: SegmenterConfig, material: SegmenterData) -> None:
        torch.manual_seed(recipe.seed)
        super().__init__(recipe, config, material)

    @torch.no_grad()
    def start(self) -> None:
        """Initialize characters with skip-gram vectors, which are learnt from this stage's kinds of hashtags."""
        if self.recipe.skip_gram:
            examples = draw(self.material, self.recipe, random.Random(self.recipe.seed))
            texts = [example.hashtag for example in examples]
            table, config = self.model.chars.weight, self.model.config
            vectors = character_vectors(texts, config.characters, config.char_dim, self.recipe.seed)
            for char, vector in vectors.items():
                table[FIRST_KNOWN + config.characters.index(char)] = vector

    def state(self) -> RunState:
        """A new run. unseen: for each completed fold, the out-of-fold log odds of its hashtags."""
        recipe = self.recipe
        size = recipe.distant + recipe.people + recipe.synthetic
        steps = recipe.epochs * math.ceil(size / recipe.batch_size)
        identity = json.dumps([asdict(recipe), asdict(self.model.config)])
        rng = random.Random(recipe.seed)
        run = self.begun(rng, recipe.learning_rate, recipe.warmup_steps, steps, identity)
        run.extra["unseen"] = []
        return run

    def draw(self, epoch: int, rng: random.Random) -> Sequence[Sequence[Example]]:
        rng.seed(self.recipe.seed * 1_000_003 + epoch)  # an epoch's examples depend only on this
        examples = draw(self.material, self.recipe, rng)
        return length_batches(examples, self.recipe.batch_size, characters, rng)

    def validate(self) -> Validation:
        sets = {"stan_large.train": self.material.manual, "synthetic": self.material.synthetic}
        scores = {name: exact_match(self.model, examples) for name, examples in sets.items()}
        shares = ", ".join(f"{name} {share:.1%}" for name, share in scores.items())
        return Validation(scores, f"exactly right {shares}")


class Tuning(SegmenterTask):
    """The given hashtags in each epoch, and some of the first stage's."""

    def __init__(self, first: FirstStage, examples: Sequence[Example]) -> None:
        super().__init__(first.recipe, first.model.config, first.material)
        self.model.load_state_dict(first.model.state_dict())
        self.examples = examples

    def draw(self, epoch: int, rng: random.Random) -> Sequence[Sequence[Example]]:
        recipe = self.recipe
        mixed = rng.sample(draw(self.material, recipe, rng, share=0.1), recipe.tune_mixed)
        seen = [maybe_recase(example, 0.4, rng) for example in self.examples]
        return length_batches(seen + mixed, recipe.tune_batch_size, characters, rng)


def tune(first: FirstStage, examples: Sequence[Example], fold: int, progress: Progress) -> Segmenter:
    """A copy of the network, trained further on these hashtags. Random numbers depend only on seed and fold."""
    recipe = first.recipe
    torch.manual_seed(recipe.seed * 1_009 + fold)
    rng = random.Random(recipe.seed * 2_003 + fold)
    task = Tuning(first, examples)
    batches = math.ceil((len(examples) + recipe.tune_mixed) / recipe.tune_batch_size)
    run = task.begun(rng, recipe.tune_rate, 20, recipe.tune_epochs * batches)
    plan = Plan(recipe.tune_epochs, title=f"tuning {fold + 1}/{recipe.folds + 1}, epoch")
    fit(task, plan, run, progress)
    return task.model.eval()


def odds_of_fold(first: FirstStage, fold: int, progress: Progress) -> list[list[float]]:
    """The log odds of the fold's hashtags, by a network tuned on all other folds."""
    manual = first.material.manual
    held = folds(manual, first.recipe)[fold]
    network = tune(first, without(manual, held), fold, progress)
    return network.odds([example.hashtag for example in held])


def characters(example: Example) -> int:
    return len(example.hashtag)


def batch_loss(model: Segmenter, batch: Sequence[Example]) -> Tensor:
    """Mean binary cross-entropy over the possible positions of a space: after each character but the last."""
    chars, cases, lengths = model.encode([example.hashtag for example in batch])
    targets = torch.zeros(chars.shape)
    for row, example in enumerate(batch):
        targets[row, : len(example.hashtag)] = torch.tensor(example.spaces(), dtype=torch.float32)
    inner = torch.arange(chars.shape[1]) < (lengths - 1)[:, None]
    losses = binary_cross_entropy_with_logits(model(chars, cases, lengths), targets, reduction="none")
    return (losses * inner).sum() / inner.sum().clamp(min=1)


def cross_validate(
    unseen: Sequence[Sequence[list[float]]],
    recipe: SegmenterRecipe,
    parts: Sequence[Sequence[Example]],
    found: LexiconTables,
) -> dict[str, float]:
    """Cross-validated exact match on stan_large.train: network, weights and ranker of a fold are fitted on the others.

    Also returns the results without the ranker, and of the network alone. unseen: out-of-fold log odds of each part.
    """
    right = {"segmenter": 0.0, "lexicon_alone": 0.0, "network_alone": 0.0}
    total = sum(map(len, parts))
    for fold, held in enumerate(parts):
        others = [index for index in range(len(parts)) if index != fold]
        examples = [example for index in others for example in parts[index]]
        odds = [row for index in others for row in unseen[index]]
        lexicon = fit_lexicon(found, examples, odds, recipe.penalty)
        ranker = train_ranker(lexicon, examples, odds, recipe.seed)
        right["segmenter"] += (
            share_right(partial(ranker.cut, lexicon), held, unseen[fold]) * len(held) / total
        )
        right["lexicon_alone"] += share_right(lexicon.cut, held, unseen[fold]) * len(held) / total
        alone = (
            [odd > 0 for odd in row[:-1]] == [space == 1 for space in example.spaces()[:-1]]
            for example, row in zip(held, unseen[fold], strict=True)
        )
        right["network_alone"] += sum(alone) / total
    return right


def _write(
    out_dir: Path,
    network: Segmenter,
    run: RunState,
    material: SegmenterData,
    recipe: SegmenterRecipe,
    data: Path,
    console: Console,
) -> dict[str, Any]:
    """Write the weights as served, and the figures measured with exactly these and with the network alone."""
    found, parts = lists(english(), material.corpus.posts), folds(material.manual, recipe)
    unseen = run.extra["unseen"]
    validated = cross_validate(unseen, recipe, parts, found)
    shares = ", ".join(f"{name} {share:.1%}" for name, share in validated.items())
    console.print(f"cross-validation on stan_large.train, exactly right: {shares}")
    examples = [example for part in parts for example in part]
    odds = [row for rows in unseen for row in rows]
    lexicon = fit_lexicon(found, examples, odds, recipe.penalty)
    ranker = train_ranker(lexicon, examples, odds, recipe.seed)
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
    report = {"config": asdict(model.config), "recipe": asdict(recipe), "metrics": metrics}
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
