"""Which fields of a post were read in another form than the documented one, or not at all."""

from typing import Literal

Outcome = Literal["converted", "skipped"]
FIELDS = ("created_at", "author", "lang", "source", "hashtags", "images")
"""Fields that may be converted or skipped; `image` counts as `images`. The others must be usable."""


class FieldNotes:
    """Notes of one post; a field that is both is skipped in part."""

    def __init__(self) -> None:
        self._notes: set[tuple[str, Outcome]] = set()

    def __bool__(self) -> bool:
        return bool(self._notes)

    def converted(self, field: str) -> None:
        """The field was in a form that is not documented, and could be read."""
        self._notes.add((field, "converted"))

    def skipped(self, field: str) -> None:
        """The field, or an item of it, could not be read, and the post is tagged without."""
        self._notes.add((field, "skipped"))

    def all(self) -> tuple[tuple[str, Outcome], ...]:
        """(field, outcome), in alphabetical order."""
        return tuple(sorted(self._notes))
