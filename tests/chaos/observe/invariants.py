"""What must hold once everything is drained: each thing that does not is one line.

Redis must say what the first receipts of the distinct posts say, and how many posts came twice: so a post that was
delivered again and counted again shows, even where its id was known.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tests.chaos.observe.topic_state import Facts, Log
from tests.chaos.posts import dies

SHOWN = 5
"""Of what is lost, so many are named."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What Redis says: type -> canonical -> mentions, and its tallies."""

    totals: Mapping[str, Mapping[str, int]]
    tallies: Mapping[str, int]


def lost(facts: Facts) -> list[str]:
    """Posts of the logs that are neither tagged nor dead."""
    places = [(log, offset) for log in list(facts.posts) for offset in facts.undone(log)]
    return [
        f"lost: post {facts.posts[log][offset]} at {log[1]}:{offset} of {log[0]}" for log, offset in places
    ]


def unwritten(facts: Facts, acknowledged: Collection[int]) -> list[str]:
    """Posts that the broker acknowledged and does not have."""
    return [f"lost by the broker: post {number}" for number in sorted(set(acknowledged) - set(facts.written))]


def phantoms(facts: Facts) -> list[str]:
    """Posts that nobody may read, and that were tagged or buried all the same: their transaction was aborted."""
    tagged = [place for place in facts.tagged if place[2] not in facts.posts.get(place[:2], {})]
    buried = sorted(facts.dead.keys() - set(facts.written))
    return [f"tagged, though it was aborted: {place}" for place in tagged] + [
        f"dead, though it was aborted: post {number}" for number in buried
    ]


def wrong_deaths(facts: Facts) -> list[str]:
    """Posts that should have died and did not. Those that died in vain are in `innocent`."""
    return [
        f"post {number} was tagged: it had to die"
        for number in facts.written
        if dies(number) and number not in facts.dead
    ]


def innocent(facts: Facts) -> dict[int, str]:
    """Posts that died though nothing was wrong with them, and of what."""
    return {number: error for number, error in facts.dead.items() if not dies(number)}


def torn_events(facts: Facts) -> list[str]:
    """Posts whose receipts name other events than there are."""
    named: dict[str, set[str]] = defaultdict(set)
    for tagged in facts.tagged.values():
        named[tagged.post_id] |= {event for event, _, _ in tagged.mentions}
    ids = named.keys() | facts.events.keys()
    return [
        f"post {post_id}: {len(named.get(post_id, ()))} events in receipts, {len(facts.events.get(post_id, ()))} sent"
        for post_id in sorted(ids)
        if named.get(post_id, set()) != facts.events.get(post_id, set())
    ]


def uncommitted(committed: Mapping[Log, int], ends: Mapping[Log, int]) -> list[str]:
    """Partitions of the posts topic that are not committed to their end."""
    behind = {log: end - committed.get(log, 0) for log, end in ends.items()}
    return [f"partition {log[1]}: {count} posts are not committed" for log, count in behind.items() if count]


def expected_counts(facts: Facts) -> Counts:
    """What Redis has to say."""
    firsts = {(tagged.source, tagged.post_id): tagged for tagged in reversed(facts.tagged.values())}
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for tagged in firsts.values():
        for _, type_, canonical in tagged.mentions:
            totals[type_][canonical] += 1
    tallies = {f"mentions:{type_}": counts.total() for type_, counts in totals.items()}
    again = len(facts.tagged) - len(firsts)
    return Counts(totals, {**tallies, "posts": len(firsts), "duplicates": again})


def drift(facts: Facts, said: Counts) -> list[str]:
    """Where Redis says something else than the receipts."""
    expected = expected_counts(facts)
    return [
        *_differences("", expected.tallies, said.tallies),
        *(
            line
            for type_ in sorted(expected.totals.keys() | said.totals.keys())
            for line in _differences(f"{type_} ", expected.totals.get(type_, {}), said.totals.get(type_, {}))
        ),
    ]


def _differences(what: str, expected: Mapping[str, int], said: Mapping[str, int]) -> list[str]:
    return [
        f"drift: {what}{name} is {said.get(name, 0)} in Redis, {expected.get(name, 0)} by the receipts"
        for name in sorted(expected.keys() | said.keys())
        if expected.get(name, 0) != said.get(name, 0)
    ]
