"""The segmenter's recipe, the examples of an epoch, and the folds of its cross-validation."""

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

    skip_gram: initialize the characters with skip-gram vectors. distant, people, synthetic: examples per epoch from
    hashset_distant, from hashset_manual, and made from text; drawn again in each epoch, in varying case. The tuning
    epochs use all of their hashtags from stan_large.train, and `tune_mixed` examples of the first stage. penalty: on
    the lexicon's squared weights.
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
    """The training data of a run. skipped: number of lines per file that did not align.

    manual: stan_large.train, the target domain; the others contain none of its hashtags. people: hashset_manual, whose
    annotators followed other conventions. synthetic: held out to monitor the first stage.
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
    """The examples in `recipe.folds` random parts; a repeated hashtag is in one part only."""
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
    """The first stage's examples for one epoch, or a share of them."""
    distant, people, synthetic = (
        math.ceil(share * count) for count in (recipe.distant, recipe.people, recipe.synthetic)
    )
    return [
        *(maybe_recase(example, 0.65, rng) for example in rng.choices(material.distant, k=distant)),
        *(maybe_recase(example, 0.3, rng) for example in rng.choices(material.people, k=people)),
        *synthesize(material.corpus, synthetic, rng),
    ]


def without(examples: Sequence[Example], apart: Sequence[Example]) -> list[Example]:
    """The examples whose hashtag, ignoring case, is not in `apart`."""
    kept = {example.hashtag.lower() for example in apart}
    return [example for example in examples if example.hashtag.lower() not in kept]


def maybe_recase(example: Example, chance: float, rng: random.Random) -> Example:
    return recase(example, rng) if rng.random() < chance else example
