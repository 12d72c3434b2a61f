"""The worker's way in one thread and without Kafka and Redis: admit, pictures, prepare, batch, tag, conclude.

The functions are the worker's own; only what moves posts between them is ours. URLs are judged, but not fetched."""

import asyncio
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from models.core.post import Mention
from models.inference.tagger import Prepared, Tagger
from stream.config.settings import Settings
from stream.images.loader import Fetched
from stream.images.outcomes import HOST_AWAY, NotFetched
from stream.images.url_policy import UrlRules
from stream.messages.language import LanguageFilter
from stream.pipeline.batcher import Batcher
from stream.pipeline.item import Work, admit, conclude
from stream.pipeline.model import ActiveModel, Tagged
from stream.pipeline.preparing import prepare_post
from stream.pipeline.tagging import Failed, tag_batch
from stream.runtime.watchdog import ActivityTracker
from tests.fuzz.cases import POISON_MARK, Case
from tests.fuzz.invariants import Wrong, check

MOST_SECONDS = 30.0
"""CPU seconds that one post may cost before it is tagged, or the batch that it is in: half of worker.hang_limit."""


class PoisonError(Exception):
    """What the model raises on a poison post."""


class PoisonableTagger(Tagger):
    """A Tagger that raises on POISON_MARK, as a defect in a model would."""

    def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
        if any(POISON_MARK in prepared.text for prepared in batch):
            raise PoisonError("the model raises")
        return super().tag_prepared(batch)


@dataclass(slots=True)
class Result:
    """What became of a case: its outcome, its images', CPU seconds; `problem` says what is wrong with that."""

    mutation: str
    outcome: str
    images: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""


@dataclass(slots=True)
class _Passing:
    """A case on its way; once it is prepared."""

    work: Work
    result: Result
    failed: Failed | None = None
    prepared: Any = None


class Line:
    """Takes chunks of cases; an exception of one is its result."""

    def __init__(self, tagger: Tagger) -> None:
        self._active = ActiveModel(tagger)
        self._settings = Settings()
        self._languages = LanguageFilter(self._settings.worker.languages)
        self._busy = ActivityTracker(time.monotonic)
        self._rules = UrlRules(self._settings.fetch.hosts)
        self._partition: Any = SimpleNamespace(id=TopicPartition("posts", 0))

    def run(self, cases: Sequence[Case]) -> list[Result]:
        """The result of each case, in order."""
        passing = [self._take_in(offset, case) for offset, case in enumerate(cases)]
        for batch in asyncio.run(self._batches([each for each in passing if each.prepared is not None])):
            self._tag(batch, cases)
        for each, case in zip(passing, cases, strict=True):
            if each.failed is not None:
                self._conclude(each, case, each.failed)
        return [each.result for each in passing]

    def _take_in(self, offset: int, case: Case) -> _Passing:
        work = Work(self._partition, "topic", offset, b"key", case.value, 1_700_000_000_000)
        passing = _Passing(work, Result(case.mutation, "crash"))
        began = time.process_time()
        try:
            admitted = admit(work)
            if isinstance(admitted, Failed):
                passing.failed = admitted
            else:
                work.post = admitted
                self._languages.wants(admitted)  # all are tagged: it must only not break
                self._prepare(passing)
        except Exception:
            passing.result.problem = traceback.format_exc()
        _spent(passing.result, time.process_time() - began)
        return passing

    def _prepare(self, passing: _Passing) -> None:
        post = passing.work.post
        assert post is not None
        prepared = prepare_post(self._active, self._busy, None, post, self._judged(post.images))
        if isinstance(prepared, Failed):
            passing.failed = prepared
        else:
            passing.prepared, outcomes = prepared
            passing.result.images = [outcome.outcome for outcome in outcomes]

    def _judged(self, images: Sequence[Any]) -> Fetched:
        judged = {}
        for image in images:
            if image.url is not None:
                judged[image] = HOST_AWAY
                try:
                    self._rules.check(image.url)
                except NotFetched as error:
                    judged[image] = error.outcome
        return judged

    async def _batches(self, waiting: Sequence[_Passing]) -> list[list[_Passing]]:
        limits = self._settings.worker
        batcher = Batcher[_Passing](limits.max_batch_tokens, limits.max_batch_images)

        async def fill() -> None:
            for each in waiting:
                await batcher.put(each, each.prepared.tokens, len(each.prepared.pictures))

        batches: list[list[_Passing]] = []
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fill())
            while sum(map(len, batches)) < len(waiting):
                batch, _ = await batcher.take()
                batches.append(batch)
        return batches

    def _tag(self, batch: Sequence[_Passing], cases: Sequence[Case]) -> None:
        active = self._active
        began = time.process_time()
        try:
            found = tag_batch(active.tagger, active.golden, self._busy, [each.prepared for each in batch])
            outcomes = list(chain.from_iterable(found))
        except Exception:
            for each in batch:
                each.result.problem = traceback.format_exc()
            return
        spent = time.process_time() - began
        for each, outcome in zip(batch, outcomes, strict=True):
            _spent(each.result, spent)
            self._conclude(each, cases[each.work.offset], outcome)

    def _conclude(self, passing: _Passing, case: Case, outcome: Tagged | Failed) -> None:
        result = passing.result
        began = time.process_time()
        try:
            done = conclude(self._settings.kafka, self._active.model, passing.work, outcome)
            _spent(result, time.process_time() - began)
            result.outcome = done.error or "tagged"
            check(case, done, result.images, self._settings.kafka)
        except Wrong as error:
            result.problem = result.problem or str(error)
        except Exception:
            result.outcome, result.problem = "crash", traceback.format_exc()


def _spent(result: Result, seconds: float) -> None:
    result.seconds = max(result.seconds, seconds)
    if seconds > MOST_SECONDS:
        result.problem = result.problem or f"took {seconds:.0f} CPU seconds; at most {MOST_SECONDS:.0f}"
