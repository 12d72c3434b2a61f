"""Tags a batch so that a failing post does not affect others.

A failing batch is halved until the failing posts are alone. So a batch that needs too much memory is tagged in smaller
ones, and a poison post affects only itself. A post is given up if it fails alone twice, and the golden posts still have
the same result as after loading. If they do not, the model is broken and no post is to blame: FailedOnPost. This runs
in the device thread; stream/pipeline/journal.py handles posts that kill or hang the process.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stream.pipeline.model import AnyTagger, Golden, PreparedPost, Tagged, tag_prepared
from stream.runtime.fault_injection import fault
from stream.runtime.watchdog import ActivityTracker

log = logging.getLogger("trimod.worker")


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a post is moved to the dead-letter topic: the error's class and message."""

    error: str
    message: str

    @classmethod
    def of(cls, error: Exception) -> "Failed":
        return cls(type(error).__name__, str(error) or repr(error))


def tag_batch(
    tagger: AnyTagger, golden: Golden, activity: ActivityTracker, batch: Sequence[PreparedPost]
) -> Iterator[list[Tagged | Failed]]:
    """The outcome of each prepared post of `batch`, in order, in as few lists as it takes.

    Known outcomes are returned at once: many poison posts take long, and progress must be visible. Raises FailedOnPost
    if the model is broken.
    """
    outcomes: list[Tagged | Failed] = []
    try:
        outcomes = _work_on(tagger, activity, batch)
    except Exception as error:
        reason = repr(error)
    # outside of the handler, whose traceback would keep the failed batch's tensors alive
    if outcomes:
        yield outcomes
    elif len(batch) == 1:
        yield [_once_more(tagger, golden, activity, batch[0])]
    else:
        log.warning("a batch of %d posts failed (%s): tagging it in halves", len(batch), reason)
        middle = len(batch) // 2
        yield from tag_batch(tagger, golden, activity, batch[:middle])
        yield from tag_batch(tagger, golden, activity, batch[middle:])


def _once_more(
    tagger: AnyTagger, golden: Golden, activity: ActivityTracker, prepared: PreparedPost
) -> Tagged | Failed:
    try:
        return _work_on(tagger, activity, [prepared])[0]
    except Exception as error:
        failed = Failed.of(error)
    with activity("tagging golden posts"):
        golden.check()
    log.warning("a post failed alone twice while the golden posts pass, giving it up: %s", failed)
    return failed


def _work_on(
    tagger: AnyTagger, activity: ActivityTracker, batch: Sequence[PreparedPost]
) -> list[Tagged | Failed]:
    with activity("tagging"):
        tagger.on_part = activity.part_done
        fault("inferring", batch)
        return list(tag_prepared(tagger, batch))
