"""Training the ranker: it learns what no weights of single features can say, and its members are one network."""

import pytest
import torch

from models.hashtags.lexicon import Lexicon
from models.hashtags.lexicon_features import FEATURES
from models.hashtags.ranker import Ranker
from tests.unit.training.hashtags.test_lexicon import ENGLISH, POSTS
from training.hashtags.corpus import Example
from training.hashtags.lexicon import lists, share_right
from training.hashtags.ranker import _side_by_side, train_ranker

APART = [Example(("New", "York")), Example(("new", "york"))]
TOGETHER = [Example(("NewYork",)), Example(("newyork",))]


def lexicon_of(**weights: float) -> Lexicon:
    found = lists(ENGLISH, POSTS)
    return Lexicon(found.words, found.pairs, found.config(weights))


def test_features_that_say_something_together_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space where the network sees one, if case shows it, else where it sees none: no sum of both says that."""
    monkeypatch.setattr("training.hashtags.ranker.RATE", 0.03)  # so few steps
    lexicon = lexicon_of(words=-1.0, unknown=-1.5)
    examples = [APART[0], TOGETHER[0], TOGETHER[1], APART[1]] * 60
    odds = [[advice if place == 2 else -9.0 for place in range(7)] for advice in (3.0, -3.0, 3.0, -3.0)] * 60
    ranker = train_ranker(lexicon, examples, odds, seed=1)
    assert share_right(lexicon.cut, examples, odds) == 0.5
    assert share_right(lambda text, row: ranker.cut(lexicon, text, row), examples, odds) == 1.0


def test_the_same_seed_gives_the_same_ranker_whatever_came_before() -> None:
    lexicon, examples = lexicon_of(words=-1.0, unknown=-9.0), APART * 4
    odds = [[0.0] * 7] * len(examples)
    once = train_ranker(lexicon, examples, odds, seed=1).state_dict()
    torch.manual_seed(99)
    twice, other = (train_ranker(lexicon, examples, odds, seed=seed).state_dict() for seed in (1, 2))
    assert all(torch.equal(once[name], twice[name]) for name in once)
    assert not torch.equal(once["first.weight"], other["first.weight"])


def test_side_by_side_is_the_members_mean_over_normed_features() -> None:
    torch.manual_seed(1)
    members = [Ranker(3), Ranker(3)]
    features = 5 * torch.rand(4, len(FEATURES))
    mean, spread = features.mean(dim=0), features.std(dim=0)
    expected = sum(member((features - mean) / spread) for member in members) / 2
    torch.testing.assert_close(_side_by_side(members, mean, spread)(features), expected)
