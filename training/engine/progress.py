"""Progress of long work: a bar where somebody looks on, and in a log, where a bar cannot move, a line a minute.

The bar, the counts and the time that is left are rich's; the lines are made of the same columns.
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
    """rich's Progress on standard error, or on `console`; where that is no terminal, in lines."""

    def __init__(self, *more: ProgressColumn, console: Console | None = None, **options: Any) -> None:
        """more: columns beside the task's name, bar, counts and time; options: rich's own."""
        self._columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn(), *more)
        columns = (self._columns[0], BarColumn(), *self._columns[1:])
        super().__init__(*columns, console=console or Console(stderr=True), **options)
        self._told = self.get_time()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """As rich's."""
        super().update(task_id, **changes)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """As rich's."""
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        if self.console.is_terminal or self.get_time() - self._told < EVERY:
            return
        self._told = self.get_time()
        task = next(task for task in self.tasks if task.id == task_id)
        self.console.print(*(column(task) for column in self._columns), soft_wrap=True)
