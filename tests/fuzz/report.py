"""What a fuzz run found, as text: outcomes per mutation, what went wrong, speed and memory."""

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from tests.fuzz.cases import BAD_POST, POISON, TAGGED
from tests.fuzz.runner import Outcome

CLASSES = (TAGGED, BAD_POST, POISON)
"""Outcomes that there may be; whether they are right for a case is judged there."""


@dataclass
class Tally:
    """Counts of all outcomes so far; `problems` are those that must not be."""

    cases: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    images: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    problems: list[Outcome] = field(default_factory=list)
    slowest: Outcome | None = None

    def add(self, outcome: Outcome) -> None:
        kind, result = outcome.kind, outcome.result
        self.cases[kind] += 1
        self.outcomes[kind, result.mutation, result.outcome] += 1
        for image in result.images:
            self.images[kind, result.mutation, image] += 1
        if result.problem:
            self.problems.append(outcome)
        if self.slowest is None or result.seconds > self.slowest.result.seconds:
            self.slowest = outcome


def show(tally: Tally, console: Console) -> None:
    """A table of each kind, and what went wrong."""
    for kind in tally.cases:
        console.print(_table(tally, kind))
    crashes = [each for each in tally.problems if each.result.outcome in ("crash", "hang", "memory")]
    console.print(f"crashes, hangs, memory: {len(crashes)}")
    console.print(f"unclassified or wrong:  {len(tally.problems) - len(crashes)}")
    if tally.slowest is not None:
        slow = tally.slowest
        name = f"{slow.kind} {slow.index} ({slow.result.mutation})"
        console.print(f"slowest: {slow.result.seconds:.1f} CPU seconds for {name} and its batch")


def _table(tally: Tally, kind: str) -> Table:
    table = Table(title=f"{kind}: {tally.cases[kind]:,}", title_justify="left")
    table.add_column("mutation")
    others = sorted({outcome for k, _, outcome in tally.outcomes if k == kind} - set(CLASSES))
    images = sorted({image for k, _, image in tally.images if k == kind})
    for column in (*CLASSES, *others, *(f"image {image}" for image in images)):
        table.add_column(column, justify="right")
    for mutation in sorted({name for k, name, _ in tally.outcomes if k == kind}):
        counts = [tally.outcomes[kind, mutation, outcome] for outcome in (*CLASSES, *others)]
        counts += [tally.images[kind, mutation, image] for image in images]
        table.add_row(mutation, *(f"{count:,}" if count else "" for count in counts))
    return table
