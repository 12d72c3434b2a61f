"""What the worker needs of a tagger, and how a batch is tagged so that one post cannot take others with it.

A batch that fails is tagged again one post at a time; a post that fails alone twice is given up with the
error's class and message. Runs in the device thread. Telling a poison post from a broken device is not
done here."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from models.images import Picture
from models.post import Mention, Post

log = logging.getLogger("trimod.worker")


class PreparedPost(Protocol):
    """A post made ready on a CPU thread; `tokens` is its cost in a batch."""

    @property
    def tokens(self) -> int: ...

    @property
    def pictures(self) -> Sequence[Picture]: ...


P = TypeVar("P", bound=PreparedPost)


class PostTagger(Protocol[P]):
    """models.tagger.Tagger as the worker sees it. `prepare` may be called from several threads at once;
    `tag_prepared` and `canonical` are called from the device thread only."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def prepare(self, post: Post, pictures: Sequence[Picture]) -> P: ...

    def tag_prepared(self, batch: Sequence[P]) -> list[list[Mention]]: ...

    def canonical(self, mention: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Tagged:
    """A post's mentions, each with its canonical form."""

    mentions: list[tuple[Mention, str]]


@dataclass(frozen=True, slots=True)
class Failed:
    """A post that goes to the dead-letter topic, and why: the error's class and message."""

    error: str
    message: str

    @classmethod
    def of(cls, error: Exception) -> "Failed":
        return cls(type(error).__name__, str(error) or repr(error))


def tag_batch(tagger: PostTagger[Any], batch: Sequence[Any]) -> list[Tagged | Failed]:
    """The outcome of each prepared post of `batch`, in order. Raises nothing for the model's errors."""
    try:
        return list(_tag(tagger, batch))
    except Exception as error:
        if len(batch) > 1:
            log.warning("a batch of %d posts failed (%r); tagging them one at a time", len(batch), error)
        return [_tag_alone(tagger, prepared) for prepared in batch]


def _tag(tagger: PostTagger[Any], batch: Sequence[Any]) -> list[Tagged]:
    tagged = tagger.tag_prepared(batch)
    if len(tagged) != len(batch):
        raise ValueError(f"the tagger gave {len(tagged)} results for {len(batch)} posts")
    return [Tagged([(mention, tagger.canonical(mention.text)) for mention in found]) for found in tagged]


def _tag_alone(tagger: PostTagger[Any], prepared: Any) -> Tagged | Failed:
    for last in (False, True):
        try:
            return _tag(tagger, [prepared])[0]
        except Exception as error:
            log.warning("a post failed alone%s: %r", " again: it is given up" if last else "", error)
            failed = Failed.of(error)
    return failed
