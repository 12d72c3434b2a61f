"""What the worker needs of a tagger, and how a batch is tagged so that one post cannot take others with it.

A batch that fails is halved until the failing posts are alone: so a batch that needs too much memory is tagged in
smaller ones, and a poison post costs only itself. A post is given up if it fails alone twice while the golden posts
are still tagged as they were when the model was loaded. Where they are not, the model is broken, and no post is to
blame: WorkEndedIt. Runs in the device thread; what kills or hangs the process is stream/journal.py's business."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from models.core.post import Mention, Post
from models.vision.decoding import Picture
from stream.busy import Busy
from stream.errors import WorkEndedIt
from stream.faults import fault

log = logging.getLogger("trimod.worker")


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


class Golden:
    """The golden posts of a tagger, and what it found in them when it was made ready (which warms it up)."""

    def __init__(self, tagger: PostTagger[Any]) -> None:
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

    def _prepared(self) -> list[Any]:
        return [self._tagger.prepare(Post(text), ()) for text in self._tagger.golden]

    def _found(self) -> list[list[tuple[int, int, str]]]:
        return [
            [(mention.start, mention.end, mention.type) for mention, _ in tagged.mentions]
            for tagged in _tag(self._tagger, self._prepared())
        ]


def tag_batch(
    tagger: PostTagger[Any], golden: Golden, busy: Busy, batch: Sequence[Any]
) -> Iterator[list[Tagged | Failed]]:
    """The outcome of each prepared post of `batch`, in order, in as few lists as it takes.

    What is known is given at once: a stretch of poison posts takes long, and must be seen to go on. Raises WorkEndedIt
    where the model is broken.
    """
    outcomes: list[Tagged | Failed] = []
    try:
        outcomes = _work_on(tagger, busy, batch)
    except Exception as error:
        reason = repr(error)
    # outside of the handler, whose traceback would keep the failed batch's tensors alive
    if outcomes:
        yield outcomes
    elif len(batch) == 1:
        yield [_once_more(tagger, golden, busy, batch[0])]
    else:
        log.warning("a batch of %d posts failed (%s): tagging it in halves", len(batch), reason)
        middle = len(batch) // 2
        yield from tag_batch(tagger, golden, busy, batch[:middle])
        yield from tag_batch(tagger, golden, busy, batch[middle:])


def _once_more(tagger: PostTagger[Any], golden: Golden, busy: Busy, prepared: Any) -> Tagged | Failed:
    try:
        return _work_on(tagger, busy, [prepared])[0]
    except Exception as error:
        failed = Failed.of(error)
    with busy("tagging golden posts"):
        golden.check()
    log.warning("a post failed alone twice, and golden posts pass: it is given up: %s", failed)
    return failed


def _work_on(tagger: PostTagger[Any], busy: Busy, batch: Sequence[Any]) -> list[Tagged | Failed]:
    with busy("tagging"):
        tagger.on_part = busy.go_on
        fault("inferring", [prepared.text for prepared in batch])
        return list(_tag(tagger, batch))


def _tag(tagger: PostTagger[Any], batch: Sequence[Any]) -> list[Tagged]:
    tagged = tagger.tag_prepared(batch)
    if len(tagged) != len(batch):
        raise ValueError(f"the tagger gave {len(tagged)} results for {len(batch)} posts")
    return [Tagged([(mention, tagger.canonical(mention.text)) for mention in found]) for found in tagged]
