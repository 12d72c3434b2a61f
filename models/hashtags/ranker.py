"""The last word on where a hashtag's spaces are: a small network over the lexicon's few best segmentations.

The log-linear model (models/hashtags/lexicon.py) finds them, and weighs each feature by itself; what this network adds
to their scores is for features that say something together, as a short word at the end and case. After Maddela et al.
(2019, "Multi-task pairwise neural ranking for hashtag segmentation"), who compare candidates two by two with a network
over such features; here each has a score of its own. Trained by training/hashtags/ranker.py."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from models.hashtags.lexicon import Lexicon, flags, rows
from models.hashtags.lexicon_features import FEATURES

CANDIDATES = 4
"""Segmentations that are ranked."""


class Ranker(nn.Module):
    """Features -> hidden units -> what is added to the log-linear score."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(len(FEATURES), hidden)
        self.last = nn.Linear(hidden, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """[..., features] -> [...]."""
        added: Tensor = self.last(gelu(self.first(features))).squeeze(-1)
        return added

    @torch.inference_mode()
    def cut(self, lexicon: Lexicon, text: str, odds: Sequence[float]) -> list[bool]:
        """As Lexicon.cut, of a non-empty text: the first of the best by both scores."""
        candidates = lexicon.best(text, odds, CANDIDATES)
        if len(candidates) == 1:
            return flags(text, candidates[0])
        described = [lexicon.features(text, ends, odds) for ends in candidates]
        added = self(rows(described).to(self.last.weight)).tolist()
        scores = [lexicon.score(each) + more for each, more in zip(described, added, strict=True)]
        return flags(text, candidates[scores.index(max(scores))])
