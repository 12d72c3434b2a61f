"""Progress of long tasks: a bar on a terminal, or one line per minute in a log.

rich provides the bar, the counts and the remaining time; the lines contain the same columns.
"""

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

EVERY = 60.0
"""Seconds between lines."""


class TrainingProgress(Progress):
    """rich's Progress on standard error, or on `console`; prints lines if that is not a terminal."""

    def __init__(self, *more: ProgressColumn, console: Console | None = None, **options: Any) -> None:
        """more: columns besides the task's name, bar, counts and time; options: passed to rich."""
        self._columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn(), *more)
        columns = (self._columns[0], BarColumn(), *self._columns[1:])
        super().__init__(*columns, console=console or Console(stderr=True), **options)
        self._told = self.get_time()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """See rich's Progress.update."""
        super().update(task_id, **changes)
        self._report(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """See rich's Progress.advance."""
        super().advance(task_id, advance)
        self._report(task_id)

    def _report(self, task_id: TaskID) -> None:
        if self.console.is_terminal or self.get_time() - self._told < EVERY:
            return
        self._told = self.get_time()
        task = next(task for task in self.tasks if task.id == task_id)
        self.console.print(*(column(task) for column in self._columns), soft_wrap=True)
