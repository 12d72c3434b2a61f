"""Fitting the lexicon: weights that tell right from wrong are found, lists are as they will be stored."""

from math import log

import pytest
import torch

from models.hashtags.lexicon_features import Pair
from models.hashtags.ranker import Ranker
from models.hashtags.segmenter import Segmenter, SegmenterConfig
from training.hashtags.corpus import Example
from training.hashtags.frequencies import Frequencies
from training.hashtags.lexicon import RAREST, add, fit, lists, share_right

SHARES = {"new": 0.01, "york": 0.001, "day": 0.02, "ne": 0.0001, "wyork": RAREST / 2}
ENGLISH = Frequencies(
    {**SHARES, "newday": 0.000002},
    SHARES,
    {("new", "york"): 0.0005, ("new", "wyork"): 0.1},
)
POSTS = [["New", "York", "day"], ["wyork", "day"]]


def test_lists_hold_frequent_words_and_the_pairs_of_them() -> None:
    found = lists(ENGLISH, POSTS)
    assert {"new", "york", "day", "ne", "newday"} == set(found.words)
    assert {("new", "york"), ("york", "day")} == set(found.pairs)
    assert pytest.approx(log(0.0005 / (0.01 * 0.001)), abs=0.01) == found.pairs["new", "york"].information
    assert (pytest.approx(log(2e-6), abs=0.01), 0.0) == found.words["newday"]  # not on the web
    assert pytest.approx(log(2), abs=0.01) == found.pairs["new", "york"].posts
    assert found.pairs["york", "day"].information == 0.0
    assert all(isinstance(pair, Pair) for pair in found.pairs.values())


EXAMPLES = [
    Example(("new", "day")),
    Example(("newday", "york")),
    Example(("York",)),
    Example(("Q", "day")),
] * 3


def test_fit_follows_a_network_that_is_right() -> None:
    found = lists(ENGLISH, POSTS)
    odds = [[4.0 if space else -4.0 for space in example.spaces()] for example in EXAMPLES]
    lexicon = fit(found, EXAMPLES, odds, penalty=1e-3)
    assert lexicon.config.weights["network"] > 0
    assert share_right(lexicon.cut, EXAMPLES, odds) == 1.0


def test_fit_does_not_follow_a_network_that_is_wrong() -> None:
    """Weights are learnt, not assumed: this network's advice is the opposite of the truth."""
    odds = [[-4.0 if space else 4.0 for space in example.spaces()] for example in EXAMPLES]
    lexicon = fit(lists(ENGLISH, POSTS), EXAMPLES, odds, penalty=1e-3)
    assert lexicon.config.weights["network"] < 0


def test_an_added_lexicon_is_in_the_weights() -> None:
    found = lists(ENGLISH, POSTS)
    network = Segmenter(SegmenterConfig(char_dim=4, case_dim=2, channels=4, hidden=4, decoder=4)).eval()
    torch.manual_seed(1)
    model = add(network, found, {"words": -1.0, "unknown_length": -9.0}, Ranker(2))
    again = Segmenter(model.config).eval()
    again.load_state_dict(model.state_dict())
    assert ["new york day"] == model.segment(["newyorkday"]) == again.segment(["newyorkday"])
    with torch.no_grad():
        again.ranker.last.weight.mul_(1000)  # type: ignore[union-attr]
    again.train().eval()
    assert ["new york day"] != again.segment(["newyorkday"])  # the ranker has the last word
