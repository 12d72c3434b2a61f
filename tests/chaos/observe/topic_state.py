"""What the topics say, put together: which post is where, which has a receipt or is dead, which events there are.

Records come in as tests/chaos/observe/topic_reader.py reads them, in any order between topics. Nothing is judged here
but that two receipts of one post must say the same, which only shows while they come: the rest is
tests/chaos/observe/invariants.py."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

Place = tuple[str, int, int]
"""Kafka's UUID of the topic, partition, offset."""
Log = tuple[str, int]
"""UUID and partition."""

_NUMBER = re.compile(rb'"n": ?(\d+)')


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the first receipt of a post says."""

    source: str
    post_id: str
    mentions: tuple[tuple[str, str, str], ...]
    """(event id, type, canonical) of each."""


@dataclass
class Facts:
    """Everything that was read so far."""

    posts: dict[Log, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    """The number of the post at each offset of a log that holds one which may be read: what was aborted is none."""
    tagged: dict[Place, Tagged] = field(default_factory=dict)
    dead: dict[int, str] = field(default_factory=dict)
    """Number of each dead post -> the class of its error."""
    events: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Post id -> ids of the entity events."""
    receipts: int = 0
    dead_letters: int = 0
    event_records: int = 0
    disagreements: list[str] = field(default_factory=list)
    """Posts whose receipts differ."""
    progress: dict[Log, int] = field(default_factory=dict)
    """Kafka's time (ms) of the last receipt of each log."""

    def add_post(self, log: Log, offset: int, value: bytes) -> None:
        self.posts[log][offset] = number_in(value)

    def add_receipt(self, value: bytes, timestamp: int) -> Place:
        """Takes in a receipt; whose post it is."""
        said = orjson.loads(value)
        origin = said["origin"]
        place = origin["topic_id"], origin["partition"], origin["offset"]
        mentions = tuple((each["event_id"], each["type"], each["canonical"]) for each in said["mentions"])
        tagged = Tagged(said["source"], said["post_id"], mentions)
        self.receipts += 1
        self.progress[place[:2]] = max(timestamp, self.progress.get(place[:2], 0))
        if self.tagged.setdefault(place, tagged) != tagged:
            self.disagreements.append(f"{place}: {self.tagged[place]} and then {tagged}")
        return place

    def add_dead(self, value: bytes, headers: Mapping[str, bytes]) -> None:
        self.dead_letters += 1
        self.dead.setdefault(number_in(value), headers["error"].decode())

    def add_event(self, value: bytes) -> None:
        said: Mapping[str, Any] = orjson.loads(value)
        self.event_records += 1
        self.events[said["post_id"]].add(said["event_id"])

    def done(self, log: Log, offset: int) -> bool:
        """Whether the post at this place has a receipt or is dead; true where there is none, as far as was read."""
        number = self.posts[log].get(offset)
        return number is None or (*log, offset) in self.tagged or number in self.dead

    def undone(self, log: Log) -> list[int]:
        """Offsets of the posts that are neither tagged nor dead."""
        return [offset for offset in self.posts[log] if not self.done(log, offset)]

    @property
    def written(self) -> list[int]:
        """The numbers of all posts in the logs."""
        return [number for posts in self.posts.values() for number in posts.values()]


def number_in(value: bytes) -> int:
    """The number that tests/chaos/posts.py gave to a post, whatever else is in it."""
    found = _NUMBER.search(value)
    assert found, f"not one of our posts: {value[:200]!r}"
    return int(found.group(1))
