"""What the segmenter learns from: the recipe, the examples of an epoch, folds."""

import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.hashtags.corpus import Corpus, Example, read_corpus, read_jsonl, read_tsv, recase, synthesize

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmenterRecipe:
    """How the segmenter is trained.

    skip_gram: start the characters from skip-gram vectors. distant, people, synthetic: examples per epoch from
    hashset_distant and hashset_manual (drawn anew, in varying case) and made from text. The tuning epochs go
    over all of their hashtags from stan_large.train and `tune_mixed` of the first stage's kinds. penalty: of the
    lexicon's squared weights.
    """

    skip_gram: bool = True
    epochs: int = 12
    distant: int = 12_000
    people: int = 2_000
    synthetic: int = 46_000
    held_out_synthetic: int = 1_000
    batch_size: int = 128
    learning_rate: float = 2.5e-3
    warmup_steps: int = 200
    folds: int = 4
    tune_epochs: int = 15
    tune_mixed: int = 1_500
    tune_batch_size: int = 64
    tune_rate: float = 1.2e-3
    penalty: float = 1e-3
    seed: int = 1


@dataclass(frozen=True)
class SegmenterData:
    """Everything that a run learns from. `skipped` lines per file did not align.

    manual: stan_large.train, of the kind that is to be segmented; the others have none of its hashtags. people:
    hashset_manual, whose annotators had other habits. synthetic: held out, to follow the first stage by.
    """

    manual: list[Example]
    people: list[Example]
    distant: list[Example]
    corpus: Corpus
    synthetic: list[Example]
    skipped: dict[str, int]


def read_material(data: Path, recipe: SegmenterRecipe) -> SegmenterData:
    """The training files and the corpus."""
    manual = read_tsv(data / "hashtags/stan_large.train.tsv")
    distant = read_tsv(data / "hashtags/hashset_distant.tsv")
    people = read_jsonl(data / "hashtags/hashset_manual.jsonl")
    files = {"stan_large.train": manual, "hashset_distant": distant, "hashset_manual": people}
    skipped = {name: rows.skipped for name, rows in files.items()}
    for name, count in skipped.items():
        if count:
            log.warning("%s: skipped %d lines whose segmentation does not spell the hashtag", name, count)
    corpus = read_corpus(data)
    synthetic = synthesize(corpus, recipe.held_out_synthetic, random.Random(recipe.seed))
    others = [without(rows.examples, manual.examples) for rows in (people, distant)]
    return SegmenterData(manual.examples, others[0], others[1], corpus, synthetic, skipped)


def folds(examples: Sequence[Example], recipe: SegmenterRecipe) -> list[list[Example]]:
    """The examples in `recipe.folds` parts, by chance; a hashtag that occurs twice is in one part only."""
    spellings = sorted({example.hashtag.lower() for example in examples})
    random.Random(recipe.seed).shuffle(spellings)
    part = {spelling: index % recipe.folds for index, spelling in enumerate(spellings)}
    return [
        [example for example in examples if part[example.hashtag.lower()] == index]
        for index in range(recipe.folds)
    ]


def draw(
    material: SegmenterData, recipe: SegmenterRecipe, rng: random.Random, share: float = 1.0
) -> list[Example]:
    """One epoch's examples of the first stage, or a share of them."""
    distant, people, synthetic = (
        math.ceil(share * count) for count in (recipe.distant, recipe.people, recipe.synthetic)
    )
    return [
        *(maybe_recase(example, 0.65, rng) for example in rng.choices(material.distant, k=distant)),
        *(maybe_recase(example, 0.3, rng) for example in rng.choices(material.people, k=people)),
        *synthesize(material.corpus, synthetic, rng),
    ]


def without(examples: Sequence[Example], apart: Sequence[Example]) -> list[Example]:
    """The examples whose hashtag, ignoring case, is not among the others."""
    kept = {example.hashtag.lower() for example in apart}
    return [example for example in examples if example.hashtag.lower() not in kept]


def maybe_recase(example: Example, chance: float, rng: random.Random) -> Example:
    return recase(example, rng) if rng.random() < chance else example
