"""A record of the posts topic to a post in work; a record that is no post is given up here.

The time a post counts under is its own, else Kafka's.
"""

from stream.contracts import Post, Receipt, decode_post
from stream.counters import Counted
from stream.errors import BadPost
from stream.records import Model, Out, dead_record, now, tagged_records
from stream.settings import Kafka
from stream.tagging import Failed, Tagged
from stream.work import Done, Work


def admit(work: Work) -> Post | Failed:
    """The post in the record's bytes, or why it is none."""
    try:
        return decode_post(work.value)
    except BadPost as error:
        return Failed.of(error)


def conclude(kafka: Kafka, model: Model, work: Work, outcome: Tagged | Failed) -> Done:
    """What is to be sent and counted of a post whose outcome is known."""
    if isinstance(outcome, Failed):
        return give_up(kafka, model, work, outcome)
    post = work.post
    assert post is not None  # only decoded posts are tagged
    created_at = work.timestamp if post.created_at is None else post.created_at
    try:
        records, receipt = tagged_records(kafka, model, post, work.origin, created_at, outcome.mentions)
    except Exception as error:  # a mention that does not fit the contract costs its post, not the worker
        return give_up(kafka, model, work, Failed.of(error))
    return _done(work, records, receipt)


def give_up(kafka: Kafka, model: Model, work: Work, failed: Failed) -> Done:
    """The dead-letter record of a post, and a count that only moves the mark past it."""
    record = dead_record(kafka.dead_topic, model.version, work.origin, work.key, work.value, failed)
    counted = Counted(work.offset, "", "", work.timestamp, now(), ())
    return Done(work, [record], counted, failed.error)


def _done(work: Work, records: list[Out], receipt: Receipt) -> Done:
    return Done(work, records, Counted.of(receipt))
