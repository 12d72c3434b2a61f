"""Who teaches what: teachers of one set, posts in both of the ways that sets cut tokens, opinions that are kept."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.tiny_checkpoint import tiny_checkpoint
from training.data.datasets import Sample
from training.errors import DataError
from training.runs import distillation as distill
from training.runs.distillation import Teacher, TeacherSignal, both_cuts, is_finely_cut, taught

TOKENS = ["RT", "@PredsNHL", ":", "I'm", "at", "#StanleyCup", "4.7", "http://t.co/x", "🏒🏒"]
CUT = ["RT", "@", "PredsNHL", ":", "I", "'", "m", "at", "#", "StanleyCup", "4.7", "🏒", "🏒"]


def plain(tokens: list[str]) -> Sample:
    return Sample(tokens, ["O"] * len(tokens), [])


def school(
    store: Path, *teachers: Teacher, labels: tuple[str, ...] = ("O", "B-PER", "I-PER")
) -> TeacherSignal:
    return TeacherSignal(teachers, labels, 0.5, torch.device("cpu"), store)


def test_every_second_post_is_cut_as_twitter_2017_cuts() -> None:
    tags = ["O", "B-ORG", *["O"] * 7]
    [coarse], [fine] = both_cuts([Sample(TOKENS, tags, ["ice"]), Sample(TOKENS, tags, ["rink"])])

    assert (TOKENS, CUT) == (coarse.tokens, fine.tokens)
    assert (["O"] * 9, ["O"] * 13) == (coarse.tags, fine.tags)
    assert [["ice"], ["rink"]] == [coarse.image_words, fine.image_words]
    assert (False, True) == (is_finely_cut([coarse]), is_finely_cut([fine]))


def test_a_post_of_nothing_but_urls_stays_as_it_is() -> None:
    urls = Sample(["http://t.co/x"], ["O"], [], unsaid=frozenset({"LOC"}))
    [coarse], [fine] = both_cuts([urls, urls])

    assert ["http://t.co/x"] == coarse.tokens == fine.tokens
    assert frozenset() == coarse.unsaid == fine.unsaid


def test_a_sets_teacher_speaks_of_its_posts_and_of_those_cut_like_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twitter-2017's teacher says 1, everybody's 0: where both speak, the mean is a half."""

    def opinion(path: Path, samples: list[Sample], _: TeacherSignal) -> list[torch.Tensor]:
        return [torch.full((len(sample.tokens), 3), float(path.name == "t17")) for sample in samples]

    monkeypatch.setattr(distill, "_opinion", opinion)
    both = school(tmp_path, Teacher(Path("all")), Teacher(Path("t17"), "seventeen"))
    tagged = {"fifteen": [plain(TOKENS)], "seventeen": [plain(CUT)]}
    found = taught(tagged, [plain(TOKENS), plain(TOKENS)], both)

    assert [0.0, 0.5, 0.0, 0.5] == [
        float(sample.targets.mean()) for sample in found if sample.targets is not None
    ]
    assert [0.5, 0.5, 1.0, 1.0] == [sample.teacher_share for sample in found]
    assert [TOKENS, CUT, TOKENS, CUT] == [sample.tokens for sample in found]


def test_posts_that_no_teacher_knows_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none was given for posts like those of fifteen"):
        taught({"fifteen": [plain(TOKENS)]}, [], school(tmp_path, Teacher(Path("t17"), "seventeen")))


def test_opinions_are_kept_and_taken_for_the_same_posts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = tiny_checkpoint(tmp_path / "teacher")
    labels = tuple(distill.build(distill.load_checkpoint(teacher)).model.crf.labels)
    asked = school(tmp_path / "store", Teacher(teacher), labels=labels)
    posts = {"set": [plain(["Ann", "sings"]), plain(["Riga"])]}
    first = taught(posts, [], asked)
    monkeypatch.setattr(distill, "marginals", _never)

    for before, after in zip(first, taught(posts, [], asked), strict=True):
        assert before.targets is not None
        assert after.targets is not None
        assert torch.equal(before.targets, after.targets)
        assert torch.allclose(torch.ones(len(before.tokens)), before.targets.sum(dim=1), atol=2e-3)
    with pytest.raises(AssertionError, match="asked again"):
        taught({"set": [plain(["Bob"])]}, [], asked)


def _never(*_: Any) -> None:
    raise AssertionError("asked again")
