"""A deterministic tagger without a model: capitalised words are entities, their type by their length.

A post that says BOOM fails whenever it is in a batch; `delay` is what one batch takes.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.core.labels import bio_labels
from models.core.post import TYPES, Mention, Post
from models.text.canonical import canonical
from models.vision.decoding import Picture


@dataclass(frozen=True, slots=True)
class Prepared:
    text: str
    tokens: int
    pictures: tuple[Picture, ...]


class FakeTagger:
    name = "fake"
    version = "1"
    golden = ("Paris is fine", "nothing here")

    def __init__(self, delay: float = 0.0, types: Sequence[str] = TYPES) -> None:
        self._delay = delay
        self.labels = tuple(bio_labels(types))
        self.on_part: Callable[[], None] = lambda: None

    def prepare(self, post: Post, pictures: Sequence[Picture]) -> Prepared:
        if "UNPREPARABLE" in post.text:
            raise ValueError("cannot be prepared")
        return Prepared(post.text, len(post.text.split()) + 2, tuple(pictures))

    def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
        time.sleep(self._delay)
        if any("BOOM" in prepared.text for prepared in batch):
            raise RuntimeError("boom in the model")
        return [mentions_of(prepared.text) for prepared in batch]

    def canonical(self, mention: str) -> str:
        return canonical(mention)

    def caches(self) -> dict[str, int]:
        return {}


def mentions_of(text: str) -> list[Mention]:
    """The mentions in `text`: every word that begins with a capital."""
    return [
        Mention(found.start(), found.end(), found.group(), TYPES[len(found.group()) % len(TYPES)], 0.5)
        for found in re.finditer(r"\b[A-Z]\w+", text)
    ]
