"""A preset's model before training: its vocabularies, random weights, and word tables filled with word vectors.

Starting from a checkpoint instead is in training/runs/warm_start.py.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from models.architectures.base import SequenceTagger
from models.architectures.registry import create
from models.checkpoints.components import Components
from models.hashtags.segmenter import Segmenter
from models.text.vocabulary import SPECIAL, Vocabulary
from training.data.datasets import Sample
from training.data.vocabulary import vocabularies
from training.errors import DataError
from training.runs.presets import Preset
from training.word_vectors.files import read_vectors

FREQUENT = 100_000
"""Lines of a word vector file (sorted by frequency) whose words join the vocabulary of the training posts."""


def untrained(
    preset: Preset,
    training: Sequence[Sample],
    labels: tuple[str, ...],
    segmenter: Segmenter,
    vectors: Sequence[Path],
) -> Components:
    """The preset's model for `labels`, with the words and characters of the training posts and the words of `vectors`.

    Raises DataError for invalid hyper-parameters, and for vectors that do not fit the model or the posts.
    """
    own, characters = vocabularies(training)
    console = Console(stderr=True)
    read = [read_vectors(path, own.entries, FREQUENT, console) for path in vectors]
    for path, (entries, _) in zip(vectors, read, strict=True):
        _report_coverage(path, entries, own, console)
    known = (word for entries, _ in read for word in entries)
    words = Vocabulary(tuple(dict.fromkeys((*own.entries, *known))))
    try:
        model = create(preset.model, {**preset.hyper, "labels": labels}, words.size, characters.size)
    except ValueError as error:
        raise DataError(str(error)) from None
    _fill(model, words, read)
    # A model without word tables ships only the words of the training posts.
    kept = words if model.reads_words else Vocabulary(())
    return Components(preset.model, model, kept, characters, segmenter)


def _report_coverage(path: Path, entries: Sequence[str], words: Vocabulary, console: Console) -> None:
    """Raises DataError if the file has a vector of none of the words: their random ones would be left as they are."""
    covered = len({*entries} & {*words.entries})
    if not covered:
        raise DataError(
            f"--vectors {path} has no vector for any of the training posts' {len(words.entries)} words"
        )
    console.print(f"{path.name}: vectors for {covered} of the training posts' {len(words.entries)} words")


def _fill(
    model: SequenceTagger, words: Vocabulary, vectors: Sequence[tuple[list[str], torch.Tensor]]
) -> None:
    """Put pretrained vectors into the model's word tables; words that have none keep their random ones.

    One file fills every table. A table that is narrower than the vectors takes their leading columns, which in
    distilled vectors (principal components) carry most.
    """
    tables = model.word_tables()
    if vectors and not tables:
        raise DataError(
            "--vectors: this model has no word table; it reads the word pieces of its text encoder"
        )
    if len(vectors) == 1:
        vectors = [vectors[0]] * len(tables)
    if vectors and len(vectors) != len(tables):
        raise DataError(
            f"--vectors was given {len(vectors)} times, but this model has {len(tables)} word tables"
        )
    places = {word: index for index, word in enumerate(words.entries, start=SPECIAL)}
    for table, (entries, rows) in zip(tables, vectors, strict=False):
        width = table.embedding_dim
        if rows.shape[1] < width:
            raise DataError(f"--vectors: {rows.shape[1]} dimensions are too few for a word table of {width}")
        known = [(places[word], row) for row, word in enumerate(entries) if word in places]
        with torch.no_grad():
            table.weight[[place for place, _ in known]] = rows[[row for _, row in known], :width]
