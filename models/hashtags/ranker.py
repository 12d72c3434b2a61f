"""Makes the final choice of a hashtag's spaces: a small network over the lexicon's few best segmentations.

The log-linear model (models/hashtags/lexicon.py) finds them and weighs each feature separately. This network adds to
their scores for combinations of features, such as a short word at the end and its case. It follows Maddela et al.
(2019, "Multi-task pairwise neural ranking for hashtag segmentation"), who compare candidates in pairs with a network
over such features; here each candidate has its own score. Trained by training/hashtags/ranker.py."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from models.hashtags.lexicon import Lexicon, flags, rows
from models.hashtags.lexicon_features import FEATURES

CANDIDATES = 4
"""Number of segmentations that are ranked."""


class Ranker(nn.Module):
    """Features -> hidden units -> a value added to the log-linear score."""

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
        """Like Lexicon.cut, for a non-empty text: the best segmentation by both scores."""
        candidates = lexicon.best(text, odds, CANDIDATES)
        if len(candidates) == 1:
            return flags(text, candidates[0])
        described = [lexicon.features(text, ends, odds) for ends in candidates]
        added = self(rows(described).to(self.last.weight)).tolist()
        scores = [lexicon.score(each) + more for each, more in zip(described, added, strict=True)]
        return flags(text, candidates[scores.index(max(scores))])
