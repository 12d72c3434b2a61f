"""What a run must remember to go on where it stopped: its seed, what became of each fault, what was found so far.

One JSON file, written anew after each fault; the data of Kafka and Redis lie beside it.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.core.errors import TrimodError


@dataclass
class Record:
    """A fault that is over. Seconds are from when it happened."""

    number: int
    name: str
    kind: str
    waited: float
    """Until a worker passed its point."""
    lasted: float
    """Until the process was there again, or the deed done."""
    ended: float | None = None
    """Until the process that got SIGTERM had ended."""


@dataclass
class State:
    """Of all runs on one folder together."""

    seed: int
    next_post: int = 0
    seconds: float = 0.0
    """That faults came for, the checks included."""
    records: list[Record] = field(default_factory=list)
    takeovers: list[dict[str, Any]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    rebuilds: list[str] = field(default_factory=list)
    """Why the counters had to be rebuilt, as the workers said."""
    ends: dict[str, int] = field(default_factory=dict)
    longest_stall: float = 0.0
    checks: int = 0

    @property
    def done(self) -> set[int]:
        return {record.number for record in self.records}

    def violate(self, what: str) -> None:
        if what not in self.violations:
            self.violations.append(what)

    def save(self, directory: Path) -> None:
        file = directory / "state.json"
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        temporary.replace(file)


def load(directory: Path, seed: int) -> State:
    """Of the folder; a new one where there is none. TrimodError where it was made with another seed."""
    file = directory / "state.json"
    if not file.exists():
        return State(seed)
    said = json.loads(file.read_text(encoding="utf-8"))
    if said["seed"] != seed:
        raise TrimodError(
            f"{directory} has a run of seed {said['seed']}: go on with it, or name another folder"
        )
    records = [Record(**record) for record in said.pop("records")]
    return State(records=records, **said)
