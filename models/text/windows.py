"""Splits long posts into overlapping windows, assigns shared tokens to one of them, and batches by length."""

from collections.abc import Sequence
from itertools import pairwise

from models.text.post_encoder import TokenIds

SLACK = 256
"""Padding, in pieces, that is cheaper than another pass through the network."""


def split_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Groups of indices, each of similar length; longest * count is at most `budget`, unless a single one is longer.

    A group ends when its padding would exceed both a tenth of it and SLACK.
    """
    groups: list[list[int]] = []
    used = 0
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        length = lengths[index]
        count = len(groups[-1]) + 1 if groups else 1
        padding = count * length - used - length
        if groups and count * length <= budget and padding <= max(SLACK, count * length // 10):
            groups[-1].append(index)
            used += length
        else:
            groups.append([index])
            used = length
    return groups


MAX_WINDOW_PIECES = 160
"""Pieces of text in one window: with image and hashtag words, a row stays under 256."""
WINDOW_OVERLAP = 24
"""Tokens that neighbouring windows share, so that an entity cut by one border is whole in another window."""


def windows(tokens: TokenIds) -> list[tuple[int, int]]:
    """Overlapping windows [start, end) over the tokens, of at most MAX_WINDOW_PIECES pieces; one for most posts."""
    costs = [max(1, len(pieces)) for pieces in tokens.pieces]
    found, start = [], 0
    while True:
        end, budget = start, MAX_WINDOW_PIECES
        while end < len(costs) and costs[end] <= budget:
            budget -= costs[end]
            end += 1
        found.append((start, end))
        if end == len(costs):
            return found
        # A window of few, costly tokens must still move on.
        start = max(start + 1, end - min(WINDOW_OVERLAP, (end - start) // 2))


def owned_windows(tokens: TokenIds) -> list[tuple[int, int, int, int]]:
    """The windows, each with the tokens [first, last) whose mentions it reports: (start, end, first, last).

    A mention belongs to the window in which it starts farther from the border.
    """
    bounds = windows(tokens)
    cuts = [(after[0] + before[1]) // 2 for before, after in pairwise(bounds)]
    owned = pairwise([0, *cuts, len(tokens.pieces)])
    return [(*bound, *own) for bound, own in zip(bounds, owned, strict=True)]
