"""A table of figures, as Markdown for readers and as JSON for further processing."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
"""Measurements are kept here, in a folder per experiment; docs/results.md is made from them."""

Value = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Rows by column name; None is a missing figure."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Value]]
    notes: Sequence[str] = ()
    """Notes for the reader: one sentence or paragraph each."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Origin of the figures: command, versions, hashes of data. In the JSON only."""

    def markdown(self) -> str:
        """The table with its title as a heading, and its notes."""
        return "\n".join([f"# {self.title}", "", grid(self.columns, self.rows), *_notes(self.notes), ""])

    def write(self, folder: Path) -> None:
        """Write `table.md` and `table.json` to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(self.markdown(), encoding="utf-8")
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (folder / "table.json").write_text(text + "\n", encoding="utf-8")


def grid(columns: Sequence[str], rows: Sequence[Mapping[str, Value]]) -> str:
    """A Markdown table; fractions have two decimals, and a missing figure is blank."""
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    lines += [f"| {' | '.join(shown(row.get(column)) for column in columns)} |" for row in rows]
    return "\n".join(lines)


def mean_row(rows: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """The mean of every figure over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: statistics.fmean(float(row[name] or 0) for row in rows if name in row) for name in names}


def shown(value: Value) -> str:
    if value is None:
        return ""
    return f"{value:z.2f}" if isinstance(value, float) else str(value)


def _notes(notes: Sequence[str]) -> list[str]:
    return [line for note in notes for line in ("", note)]
