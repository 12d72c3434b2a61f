"""Whether what the worker made of a post is right: the record it is dead with, or its events and receipt."""

import json
import math
from itertools import pairwise
from typing import Any

from models.core.post import TYPES
from stream.config.kafka import Kafka
from stream.kafka.publisher import OutgoingRecord
from stream.messages.events import EntityEvent
from stream.messages.receipts import Receipt
from stream.pipeline.item import ProcessedPost
from tests.fuzz.cases import TAGGED, Case
from tests.fuzz.oracle import fields_of, identifier, text_of


class Wrong(AssertionError):
    """The outcome is not what it must be."""


def check(case: Case, done: ProcessedPost, images: list[str], kafka: Kafka) -> str:
    """The outcome: TAGGED or the class of the dead letter. Raises Wrong."""
    outcome = done.error or TAGGED
    if case.expected is None:
        _same("one of the classes of a bad post", True, outcome in (TAGGED, "BadPost"), outcome)
    else:
        _same("outcome", case.expected, outcome, done.records[-1].headers)
    if case.image is not None:
        _same("image", [case.image], images, case.mutation)
    if done.error is None:
        _check_tagged(case, done, kafka)
    else:
        _check_dead(case, done, kafka)
    return outcome


def _check_dead(case: Case, done: ProcessedPost, kafka: Kafka) -> None:
    (record,) = done.records
    _same("dead letter", (kafka.dead_topic, b"key", case.value), (record.topic, record.key, record.value))
    headers = dict(record.headers)
    _same("class in the header", done.error, headers["error"].decode())
    _same("message", True, 0 < len(headers["message"]) <= 8000)
    _same("counted", ("", ()), (done.counted.post_id, done.counted.mentions))


def _check_tagged(case: Case, done: ProcessedPost, kafka: Kafka) -> None:
    fields = fields_of(case.value)
    *events, last = done.records
    found = [_check_event(event, fields, kafka) for event in events]
    places = [(event.start, event.end) for event in found]
    _same("order", sorted(places), places)
    _same("overlap", [], [b for a, b in pairwise(places) if b[0] < a[1]])
    receipt = Receipt.model_validate(json.loads(last.value or b""))
    _same("receipt's topic", (kafka.tagged_topic, b"posts:0"), (last.topic, last.key))
    _same("receipt's post", identifier(fields), receipt.post_id)
    named = [(event.event_id, event.type, event.canonical) for event in found]
    _same("receipt's mentions", named, [(m.event_id, m.type, m.canonical) for m in receipt.mentions])
    _same("events that share an id", len(named), len(set(named)))
    _same("counted", [each[1:] for each in named], list(done.counted.mentions))


def _check_event(record: OutgoingRecord, fields: dict[str, Any], kafka: Kafka) -> EntityEvent:
    event = EntityEvent.model_validate(json.loads(record.value or b""))
    text = text_of(fields)
    _same("text at its offsets", text[event.start : event.end], event.text)
    units = text.encode("utf-16-le")[2 * event.start_utf16 : 2 * event.end_utf16]
    _same("text at its UTF-16 offsets", event.text, units.decode("utf-16-le"))
    units = text.encode()[event.start_utf8 : event.end_utf8]
    _same("text at its UTF-8 offsets", event.text, units.decode())
    _same("mention is not empty", True, bool(event.text and event.canonical))
    _same("type", True, event.type in TYPES)
    _same("confidence", True, 0 <= event.confidence <= 1)
    _same("weights", True, math.isclose(sum(event.weights.values()), 1, abs_tol=1e-2), event.weights)
    _same(
        "key", (kafka.entities_topic, f"{event.type}:{event.canonical}".encode()), (record.topic, record.key)
    )
    _same("post", identifier(fields), event.post_id)
    _same("time", True, event.tagged_at is not None and -(10**14) < event.created_at < 10**15)
    for name, most in (("author", 512), ("lang", 64)):
        given = fields.get(name)
        if given is None or (isinstance(given, str) and len(given) <= most and given.isprintable()):
            _same(name, given, getattr(event, name))
    return event


def _same(what: str, expected: object, actual: object, more: object = "") -> None:
    if expected != actual:
        raise Wrong(f"{what}: expected {expected!r:.200}, got {actual!r:.200} {more!s:.400}".rstrip())
