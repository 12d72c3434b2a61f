"""The ranker's word is the last, over the lexicon's best few; in a segmenter it survives the checkpoint."""

import pytest
import torch
from torch import nn

from models.hashtags.lexicon import Lexicon
from models.hashtags.lexicon_features import FEATURES
from models.hashtags.ranker import CANDIDATES, Ranker
from tests.unit.models.hashtags.test_lexicon import EVERY, PAIRS, WORDS, odds_for

TEXTS = ["TheXfiles", "xs", "q", "thexqqs", "filefiles", "XFILES09", "s2Thé", "a4b"]


def ranker_of(**weights: float) -> Ranker:
    """One that adds the weighted features; its hidden unit is far from where GELU bends."""
    ranker = Ranker(1)
    with torch.no_grad():
        for parameter in ranker.parameters():
            nn.init.zeros_(parameter)
        ranker.first.bias.fill_(1000.0)
        ranker.last.weight.fill_(1.0)
        for name, weight in weights.items():
            ranker.first.weight[0, FEATURES.index(name)] = weight
    return ranker


@pytest.mark.parametrize("text", TEXTS)
def test_a_ranker_without_an_opinion_leaves_the_lexicons_answer(text: str) -> None:
    lexicon, odds = Lexicon(WORDS, PAIRS, EVERY), odds_for(text)
    assert lexicon.cut(text, odds) == ranker_of().cut(lexicon, text, odds)


@pytest.mark.parametrize("text", ["TheXfiles", "thexqqs", "filefiles", "XFILES09"])
def test_the_first_of_the_best_by_both_scores_is_chosen(text: str) -> None:
    """This one wants words, and gets as many as any candidate has; more than the lexicon proposes it does not see."""
    lexicon, odds = Lexicon(WORDS, PAIRS, EVERY), odds_for(text)
    most = max(len(ends) for ends in lexicon.best(text, odds, CANDIDATES))
    assert most == sum(ranker_of(words=90.0).cut(lexicon, text, odds))
    assert most > sum(lexicon.cut(text, odds)) or text == "thexqqs"
