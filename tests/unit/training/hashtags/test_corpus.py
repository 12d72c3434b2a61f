"""What the segmenter learns from: rows that align, bad rows counted, pseudo-hashtags made of words."""

import random
from pathlib import Path

import pytest

from training.errors import DataError
from training.hashtags.corpus import Corpus, Example, align, read_tsv, recase, synthesize


@pytest.mark.parametrize(
    ("hashtag", "segmentation", "words"),
    [
        ("thexfiles", "The X Files", ("the", "x", "files")),
        ("NBA", "nba", ("NBA",)),
        ("LEG_END", "LEG _ END", ("LEG", "END")),
        ("bigdata", "big dates", None),
        ("", "", None),
        ("straße", "stras se", None),  # same length only by case folding
    ],
)
def test_align(hashtag: str, segmentation: str, words: tuple[str, ...] | None) -> None:
    found = align(hashtag, segmentation)
    assert words == (found and found.words)


def test_spaces_are_after_every_word_but_the_last() -> None:
    assert Example(("the", "x", "files")).spaces() == [0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert Example(("a",)).spaces() == [0]


def test_bad_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "tags.tsv"
    path.write_text("BigData\tbig data\nbroken line\nabc\tabd\nx\ty\tz\nnyc\tNYC\n", encoding="utf-8")
    rows = read_tsv(path)
    assert rows.examples == [Example(("Big", "Data")), Example(("nyc",))]
    assert rows.skipped == 3


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.tsv"):
        read_tsv(tmp_path / "nowhere.tsv")


CORPUS = Corpus(
    posts=[["See", "you", "in", "Riga"], ["lol"]],
    captions=[["a", "brown", "dog"]],
    names=[["Maple", "Leafs"]],
    lexicons=[(["good", "day"], [1.0, 2.0]), (["kappa"], [1.0])],
)


def test_synthetic_examples_depend_on_the_seed_alone() -> None:
    once, again, other = (synthesize(CORPUS, 200, random.Random(seed)) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert all(example.hashtag for example in once)
    assert {len(example.words) for example in once} >= {1, 2, 3, 4}


def test_recasing_keeps_the_words() -> None:
    rng = random.Random(5)
    spellings = {recase(Example(("Sons", "of", "Anarchy")), rng).hashtag for _ in range(300)}
    assert spellings >= {"sonsofanarchy", "SonsOfAnarchy", "SonsofAnarchy", "SONSOFANARCHY"}
    assert {spelling.lower() for spelling in spellings} == {"sonsofanarchy"}
