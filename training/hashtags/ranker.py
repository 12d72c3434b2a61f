"""Trains the segmenter's ranker: it should score the right one highest among the lexicon's best segmentations.

Several networks are trained from different initial weights, each by cross-entropy over the candidates of a hashtag.
They are joined into one network that returns their mean. As in training/hashtags/lexicon.py, the log odds must be
out-of-fold."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout, gelu
from torch.nn.utils.rnn import pad_sequence

from models.hashtags.lexicon import Lexicon, rows
from models.hashtags.ranker import CANDIDATES, Ranker
from training.hashtags.corpus import Example
from training.hashtags.lexicon import spreads

UNITS, MEMBERS = 16, 5
"""Hidden units of a network, and number of networks."""
EPOCHS, BATCH, RATE, WEIGHT_DECAY, DROPOUT = 12, 64, 3e-3, 0.1, 0.2
NEVER = -1e9
"""Score of padding, for hashtags with fewer candidates than others."""


def train_ranker(
    lexicon: Lexicon, examples: Sequence[Example], odds: Sequence[Sequence[float]], seed: int
) -> Ranker:
    """A ranker for the candidates of `lexicon`. odds: out-of-fold log odds of the network for each example."""
    described, scores, right = [], [], []
    for example, row in zip(examples, odds, strict=True):
        text, ends = example.hashtag, example.ends
        candidates = lexicon.best(text, row, CANDIDATES)
        if ends in candidates:
            found = [lexicon.features(text, each, row) for each in candidates]
            described.append(rows(found))
            scores.append(torch.tensor([lexicon.score(each) for each in found]))
            right.append(candidates.index(ends))
    given = pad_sequence(scores, batch_first=True, padding_value=NEVER)
    known = torch.cat(described)
    mean, spread = known.mean(dim=0), spreads(known)
    normed = (pad_sequence(described, batch_first=True) - mean) / spread
    members = [_member(normed, given, torch.tensor(right), seed * 3_001 + index) for index in range(MEMBERS)]
    return _side_by_side(members, mean, spread)


def _member(features: Tensor, given: Tensor, right: Tensor, seed: int) -> Ranker:
    """One network. features: [hashtags, candidates, features]; given: the lexicon's scores [hashtags, candidates];
    right: [hashtags]."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Ranker(UNITS)
        nn.init.zeros_(network.last.weight)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
        for _ in range(EPOCHS):
            for chosen in torch.split(torch.randperm(len(right)), BATCH):
                hidden = dropout(gelu(network.first(features[chosen])), DROPOUT)
                loss = cross_entropy(given[chosen] + network.last(hidden).squeeze(-1), right[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return network


@torch.no_grad()
def _side_by_side(members: Sequence[Ranker], mean: Tensor, spread: Tensor) -> Ranker:
    """One network that returns the members' mean, for features that are not normalized."""
    weights = torch.cat([member.first.weight for member in members]) / spread
    ranker = Ranker(len(weights))
    ranker.first.weight.copy_(weights)
    ranker.first.bias.copy_(torch.cat([member.first.bias for member in members]) - weights @ mean)
    ranker.last.weight.copy_(torch.cat([member.last.weight for member in members], dim=1) / len(members))
    return ranker.eval()
