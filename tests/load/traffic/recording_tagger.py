"""A tagger that writes down every batch: when it began and ended, by which model, and who had prepared its posts.

So that what a switch of models does to batches can be measured from outside (tests/load/model_switches.py).
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from models.core.post import Mention, Post
from models.inference.tagger import Prepared, Tagger
from models.vision.decoding import Picture


@dataclass(frozen=True, slots=True)
class Marked:
    """A prepared post and the version of the model that prepared it."""

    prepared: Prepared
    version: str

    @property
    def text(self) -> str:
        return self.prepared.text

    @property
    def tokens(self) -> int:
        return self.prepared.tokens

    @property
    def pictures(self) -> tuple[Picture, ...]:
        return self.prepared.pictures


@dataclass(frozen=True, slots=True)
class Batch:
    """One pass of the tagger; times are of the machine's monotonic clock."""

    began: float
    ended: float
    version: str
    prepared_by: tuple[str, ...]
    posts: int


class Recorded:
    """`tagger`, whose batches are appended to `file`."""

    def __init__(self, tagger: Tagger, file: Path) -> None:
        self._tagger, self._file = tagger, file
        self.name, self.version = tagger.name, tagger.version
        self.labels, self.golden, self.canonical = tagger.labels, tagger.golden, tagger.canonical

    def prepare(self, post: Post, pictures: Sequence[Picture]) -> Marked:
        return Marked(self._tagger.prepare(post, pictures), self.version)

    def tag_prepared(self, batch: Sequence[Marked]) -> list[list[Mention]]:
        if not threading.current_thread().name.startswith(
            "device"
        ):  # golden posts, of one that is being loaded
            return self._tagger.tag_prepared([each.prepared for each in batch])
        began = time.monotonic()
        mentions = self._tagger.tag_prepared([each.prepared for each in batch])
        versions = sorted({each.version for each in batch})
        record = Batch(began, time.monotonic(), self.version, tuple(versions), len(batch))
        with self._file.open("ab") as out:
            out.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        return mentions

    def caches(self) -> Mapping[str, int]:
        return self._tagger.caches()


def batches(file: Path) -> list[Batch]:
    """What was written to `file`, in order."""
    lines: list[dict[str, Any]] = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    return [Batch(**{**line, "prepared_by": tuple(line["prepared_by"])}) for line in lines]
