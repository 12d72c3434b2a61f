"""What the worker needs of a tagger, and a tagger in use, with the golden posts that show that it works."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from models.core.errors import CheckpointError
from models.core.post import Mention, Post
from models.vision.decoding import Picture
from stream.errors import WorkEndedIt


@dataclass(frozen=True, slots=True)
class Model:
    """Which model's work it is."""

    name: str
    version: str


class PreparedPost(Protocol):
    """A post made ready on a CPU thread; `tokens` is its cost in a batch."""

    @property
    def text(self) -> str: ...

    @property
    def tokens(self) -> int: ...

    @property
    def pictures(self) -> Sequence[Picture]: ...


P = TypeVar("P", bound=PreparedPost)


class PostTagger(Protocol[P]):
    """models.inference.tagger.Tagger as the worker sees it. `prepare` may be called from several threads at once;
    `tag_prepared` and `canonical` from one at a time: the device thread, and before that the one that loads."""

    on_part: Callable[[], None]
    """Called in `tag_prepared` after each part of a batch that it works on in parts."""

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
        """The post as `tag_prepared` takes it; raises whatever the post breaks."""
        ...

    def tag_prepared(self, batch: Sequence[P]) -> list[list[Mention]]:
        """The mentions of each post, in the batch's order; raises whatever one of them breaks."""
        ...

    def canonical(self, mention: str) -> str:
        """What a mention counts as."""
        ...

    def caches(self) -> Mapping[str, int]:
        """Cache -> how many things it holds; may be called from any thread."""
        ...


AnyTagger = PostTagger[Any]
"""A tagger, whatever its own prepared posts are: what one prepares goes to no other (`Work.active`)."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A post's mentions, each with its canonical form."""

    mentions: list[tuple[Mention, str]]


def tag_prepared(tagger: AnyTagger, batch: Sequence[PreparedPost]) -> list[Tagged]:
    """What `tagger` finds in prepared posts, in order; raises whatever one of them breaks."""
    tagged = tagger.tag_prepared(batch)
    if len(tagged) != len(batch):
        raise ValueError(f"the tagger gave {len(tagged)} results for {len(batch)} posts")
    return [Tagged([(mention, tagger.canonical(mention.text)) for mention in found]) for found in tagged]


class Golden:
    """The golden posts of a tagger, and what it found in them when it was made ready (which warms it up)."""

    def __init__(self, tagger: AnyTagger) -> None:
        """Raises whatever the tagger raises."""
        self._tagger = tagger
        self._expected = self._found()

    def check(self) -> None:
        """Raise WorkEndedIt unless the tagger still finds the same."""
        try:
            found: object = self._found()
        except Exception as error:
            found = repr(error)
        if found != self._expected:
            raise WorkEndedIt(
                f"the model {self._tagger.version} is broken: it no longer tags its golden posts as it did, "
                f"but: {str(found)[:200]}"
            )

    def check_preparing(self) -> None:
        """Raise WorkEndedIt unless the golden posts can still be made ready; for any thread."""
        try:
            self._prepared()
        except Exception as error:
            raise WorkEndedIt(
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
    """Ready to tag: making it tags the golden posts, which warms the model up."""

    def __init__(self, tagger: AnyTagger) -> None:
        """Raises CheckpointError where the tagger cannot tag its golden posts."""
        self.tagger = tagger
        self.model = Model(tagger.name, tagger.version)
        try:
            self.golden = Golden(tagger)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(
                f"the model {tagger.version} cannot tag its golden posts: {reason}"
            ) from error
