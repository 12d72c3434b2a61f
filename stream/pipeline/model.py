"""The interface of a tagger, and a tagger in use, with golden posts that show whether it works."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from models.core.errors import CheckpointError
from models.core.post import Mention, Post
from models.vision.decoding import Picture
from stream.errors import FailedOnPost
from stream.messages.receipts import SkipReason


@dataclass(frozen=True, slots=True)
class Model:
    """Name and version of a model."""

    name: str
    version: str


class PreparedPost(Protocol):
    """A post prepared on a CPU thread; `tokens` is its cost in a batch."""

    @property
    def text(self) -> str: ...

    @property
    def tokens(self) -> int: ...

    @property
    def pictures(self) -> Sequence[Picture]: ...


P = TypeVar("P", bound=PreparedPost)


class PostTagger(Protocol[P]):
    """models.inference.tagger.Tagger as the worker uses it. `prepare` may be called from several threads at once.
    `tag_prepared` and `canonical` run in one thread at a time: the loading thread, then the device thread."""

    on_part: Callable[[], None]
    """Called in `tag_prepared` after each part of a batch, if it splits the batch."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def golden(self) -> tuple[str, ...]:
        """Texts of posts that this tagger can tag."""
        ...

    def prepare(self, post: Post, pictures: Sequence[Picture]) -> P:
        """The post as `tag_prepared` takes it; raises any error that the post causes."""
        ...

    def tag_prepared(self, batch: Sequence[P]) -> list[list[Mention]]:
        """The mentions of each post, in the batch's order; raises any error that one of them causes."""
        ...

    def canonical(self, mention: str) -> str:
        """The form that a mention is counted as."""
        ...

    def caches(self) -> Mapping[str, int]:
        """Cache -> number of entries; may be called from any thread."""
        ...


AnyTagger = PostTagger[Any]
"""A tagger with any kind of prepared posts: those of one tagger never go to another (`Work.active`)."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A post's mentions, each with its canonical form. None if the post was skipped, for the reason `skipped`."""

    mentions: list[tuple[Mention, str]]
    skipped: SkipReason | None = None


def tag_prepared(tagger: AnyTagger, batch: Sequence[PreparedPost]) -> list[Tagged]:
    """The mentions that `tagger` finds in prepared posts, in order; raises any error that one of them causes."""
    tagged = tagger.tag_prepared(batch)
    if len(tagged) != len(batch):
        raise ValueError(f"the tagger gave {len(tagged)} results for {len(batch)} posts")
    return [Tagged([(mention, tagger.canonical(mention.text)) for mention in found]) for found in tagged]


class Golden:
    """The golden posts of a tagger, and what it found in them after loading (which also warms it up)."""

    def __init__(self, tagger: AnyTagger) -> None:
        """Raises any error of the tagger."""
        self._tagger = tagger
        self._expected = self._found()

    def check(self) -> None:
        """Raise FailedOnPost unless the tagger still finds the same."""
        try:
            found: object = self._found()
        except Exception as error:
            found = repr(error)
        if found != self._expected:
            raise FailedOnPost(
                f"the model {self._tagger.version} is broken: its golden posts have another result than before: "
                f"{str(found)[:200]}"
            )

    def check_preparing(self) -> None:
        """Raise FailedOnPost unless the golden posts can still be prepared; for any thread."""
        try:
            self._prepared()
        except Exception as error:
            raise FailedOnPost(
                f"the model {self._tagger.version} is broken: it no longer prepares its golden posts: {error!r}"
            ) from error

    def _prepared(self) -> list[PreparedPost]:
        return [self._tagger.prepare(Post(text), ()) for text in self._tagger.golden]

    def _found(self) -> list[list[tuple[int, int, str]]]:
        return [
            [(mention.start, mention.end, mention.type) for mention, _ in tagged.mentions]
            for tagged in tag_prepared(self._tagger, self._prepared())
        ]


class ActiveModel:
    """A tagger that is ready: creating it tags the golden posts, which warms up the model."""

    def __init__(self, tagger: AnyTagger) -> None:
        """Raises CheckpointError if the tagger cannot tag its golden posts."""
        self.tagger = tagger
        self.model = Model(tagger.name, tagger.version)
        try:
            self.golden = Golden(tagger)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(
                f"the model {tagger.version} cannot tag its golden posts: {reason}"
            ) from error
