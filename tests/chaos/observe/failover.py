"""How long the partitions of a killed worker wait for another: from its death to the first receipt of each.

Alone is a takeover during which nothing else was wrong. Times are epoch milliseconds: those of the fault and of the
receipts' records.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Takeover:
    fault: int
    died_at: int
    named: bool
    """Whether the worker was a static member."""
    waiting: set[int]
    """Partitions without progress since."""
    alone: bool
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        return not self.waiting


@dataclass(slots=True)
class Takeovers:
    """Those under way, and those that are over."""

    under_way: list[Takeover] = field(default_factory=list)
    over: list[Takeover] = field(default_factory=list)

    def died(self, fault: int, at: int, named: bool, partitions: Iterable[int], alone: bool) -> None:
        """A worker with these partitions was killed."""
        waiting = set(partitions)
        if waiting:
            self.under_way.append(Takeover(fault, at, named, waiting, alone))

    def disturb(self) -> None:
        """Something else happened."""
        for takeover in self.under_way:
            takeover.alone = False

    def progress(self, partition: int, at: int) -> None:
        """A post of the partition was tagged. What is told late or twice does no harm."""
        for takeover in self.under_way:
            if at > takeover.died_at and partition in takeover.waiting:
                takeover.waiting.discard(partition)
                takeover.seconds = max(takeover.seconds, (at - takeover.died_at) / 1000)
        self.over += [each for each in self.under_way if each.over]
        self.under_way = [each for each in self.under_way if not each.over]
