"""The checks must be able to fail: each is shown a run that broke just what it looks for."""

from dataclasses import replace

import orjson
import pytest

from stream.messages.events import event_id
from tests.chaos.observe import invariants as verify
from tests.chaos.observe.invariants import Counts
from tests.chaos.observe.topic_state import Facts, Tagged
from tests.chaos.posts import SOURCE, dies, fate, post
from tests.support.fake_tagger import FakeTagger, mentions_of

COUNT = 400
LOG = ("uuid", 0)


def receipt(number: int, offset: int) -> bytes:
    """As a worker writes it for our post."""
    said = orjson.loads(post(number)[1])
    mentions = [
        {
            "event_id": event_id(SOURCE, said["id"], found.start, found.end, found.type),
            "type": found.type,
            "canonical": FakeTagger().canonical(found.text),
        }
        for found in mentions_of(said["text"])
    ]
    origin = {"topic": "posts", "topic_id": LOG[0], "partition": LOG[1], "offset": offset}
    return orjson.dumps({"source": SOURCE, "post_id": said["id"], "origin": origin, "mentions": mentions})


@pytest.fixture
def facts() -> Facts:
    """A run in which all went well; every post's number is its offset."""
    facts = Facts()
    for number in range(COUNT):
        facts.add_post(LOG, number, post(number)[1])
        if dies(number):
            facts.add_dead(post(number)[1], {"error": b"BadPost"})
            continue
        facts.add_receipt(receipt(number, number), 0)
        said = orjson.loads(receipt(number, number))
        for mention in said["mentions"]:
            facts.add_event(orjson.dumps({"post_id": said["post_id"], "event_id": mention["event_id"]}))
    return facts


def counts(facts: Facts) -> Counts:
    return verify.expected_counts(facts)


def test_all_went_well(facts: Facts) -> None:
    assert {"healthy", "again", "no JSON", "no id", "poison", "unpreparable"} == set(map(fate, range(COUNT)))
    assert [] == verify.lost(facts) + verify.unwritten(facts, range(COUNT)) + verify.wrong_deaths(facts)
    assert [] == verify.torn_events(facts) + verify.drift(facts, counts(facts)) + facts.disagreements
    assert {} == verify.innocent(facts)
    assert counts(facts).tallies["duplicates"] == sum(fate(number) == "again" for number in range(COUNT)) > 0


def test_a_receipt_that_is_missing(facts: Facts) -> None:
    del facts.tagged[(*LOG, 17)]
    assert ["lost: post 17 at 0:17 of uuid"] == verify.lost(facts)
    assert facts.done(LOG, 16)
    assert not facts.done(LOG, 17)


def test_a_post_that_the_broker_forgot(facts: Facts) -> None:
    assert [f"lost by the broker: post {COUNT}"] == verify.unwritten(facts, range(COUNT + 1))


def test_a_dead_letter_that_is_missing(facts: Facts) -> None:
    number = next(number for number in range(COUNT) if dies(number))
    del facts.dead[number]
    assert [number] == facts.undone(LOG)
    assert [f"post {number} was tagged: it had to die"] == verify.wrong_deaths(facts)


def test_a_post_that_died_in_vain(facts: Facts) -> None:
    facts.add_dead(post(5)[1], {"error": b"KillsWorker"})
    assert {5: "KillsWorker"} == verify.innocent(facts)


def test_a_receipt_that_says_something_else_the_second_time(facts: Facts) -> None:
    facts.add_receipt(receipt(17, 17), 0)
    assert [] == facts.disagreements
    facts.add_receipt(receipt(18, 17), 0)
    assert 1 == len(facts.disagreements)


def test_an_event_that_is_missing_or_too_many(facts: Facts) -> None:
    post_id = next(tagged.post_id for tagged in facts.tagged.values() if tagged.mentions)
    missing = facts.events[post_id].pop()
    assert 1 == len(verify.torn_events(facts))
    facts.events[post_id] |= {missing, "another"}
    assert 1 == len(verify.torn_events(facts))


def test_a_mention_that_was_counted_twice(facts: Facts) -> None:
    said = counts(facts)
    canonical, count = next(iter(said.totals["PER"].items()))
    twice = {**said.totals, "PER": {**said.totals["PER"], canonical: count + 1}}
    (line,) = verify.drift(facts, replace(said, totals=twice))
    assert f"drift: PER {canonical} is {count + 1} in Redis, {count} by the receipts" == line


def test_a_post_without_mentions_that_was_delivered_and_counted_twice(facts: Facts) -> None:
    """The dedup window would hide it from the totals, so the tally of repeats has to tell."""
    said = counts(facts)
    again = {**said.tallies, "duplicates": said.tallies["duplicates"] + 1}
    assert 1 == len(verify.drift(facts, replace(said, tallies=again)))


def test_a_partition_that_is_not_committed_to_its_end() -> None:
    assert ["partition 0: 3 posts are not committed"] == verify.uncommitted({LOG: 7}, {LOG: 10})
    assert ["partition 0: 10 posts are not committed"] == verify.uncommitted({}, {LOG: 10})


def test_the_first_receipt_counts() -> None:
    facts = Facts()
    first, second = Tagged(SOURCE, "p1", (("e", "PER", "rome"),)), Tagged(SOURCE, "p1", ())
    facts.tagged = {(*LOG, 0): first, (*LOG, 1): second}
    assert Counts({"PER": {"rome": 1}}, {"mentions:PER": 1, "posts": 1, "duplicates": 1}) == counts(facts)


def test_a_post_of_an_aborted_transaction_that_was_tagged(facts: Facts) -> None:
    assert [] == verify.phantoms(facts)
    number = next(number for number in range(COUNT) if dies(number))
    del facts.posts[LOG][17], facts.posts[LOG][number]
    assert [
        f"tagged, though it was aborted: {(*LOG, 17)}",
        f"dead, though it was aborted: post {number}",
    ] == verify.phantoms(facts)
