"""Splitting a batch by length, so that padding stays under a tenth of what is computed."""

from collections.abc import Sequence

SLACK = 256
"""Pieces of padding that are cheaper than another pass through the network."""


def split_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Groups of indices, each of similar length; longest * count is at most `budget`, unless one alone is longer.

    A group ends where its padding would pass both a tenth of it and SLACK.
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
