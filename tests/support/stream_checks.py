"""Reads everything that a whole stream wrote, and checks it: for the end-to-end test and the full run."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from stream.config.settings import Settings
from stream.errors import BadPost
from stream.messages.events import EntityEvent
from stream.messages.posts import decode_post
from tests.support.worker_processes import (
    WorkerProcess,
    read_all,
    receipts,
)


def read_posts(settings: Settings) -> tuple[dict[tuple[int, int], str], dict[tuple[str, str], str]]:
    """Of the posts topic: (partition, offset) -> why the post there is none, or ""; (source, id) -> text."""
    kafka = settings.kafka
    reasons, texts = {}, {}
    for record in read_all(kafka, kafka.posts_topic):
        try:
            post = decode_post(record.value)
        except BadPost as error:
            reasons[record.partition, record.offset] = str(error)
        else:
            reasons[record.partition, record.offset] = ""
            texts[post.source, post.id] = post.text
    return reasons, texts


def read_reasons(settings: Settings) -> dict[tuple[int, int], str]:
    """(partition, offset) -> the reason of every dead post, "" for those that have a receipt."""
    kafka = settings.kafka
    reasons = {(found.origin.partition, found.origin.offset): "" for found in receipts(kafka)}
    for record in read_all(kafka, kafka.dead_topic):
        headers = {name: value.decode() for name, value in record.headers}
        reasons[int(headers["partition"]), int(headers["offset"])] = headers["message"]
    return reasons


def metric(name: str, running: list[WorkerProcess]) -> Counter[tuple[str, ...]]:
    """What these workers together count under `name`, by the labels' values."""
    counts: Counter[tuple[str, ...]] = Counter()
    for worker in running:
        for family in text_string_to_metric_families(worker.get("/metrics")):
            for sample in family.samples:
                if sample.name == name and sample.value:
                    counts[tuple(sample.labels.values())] += int(sample.value)
    return counts


def check_events(settings: Settings, texts: dict[tuple[str, str], str]) -> list[EntityEvent]:
    """The events: each is where it says in its post's text, and receipts name these and no others."""
    kafka = settings.kafka
    events = [EntityEvent.model_validate_json(each.value) for each in read_all(kafka, kafka.entities_topic)]
    for event in events:
        text = texts[event.source, event.post_id]
        units = text.encode("utf-16-le")[2 * event.start_utf16 : 2 * event.end_utf16]
        assert (event.text, event.text) == (text[event.start : event.end], units.decode("utf-16-le"))
    named = {mention.event_id for receipt in receipts(kafka) for mention in receipt.mentions}
    assert {event.event_id for event in events} == named
    return events
