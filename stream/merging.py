"""The records of several partitions in one order of time, in bounded memory.

Within a partition the order of offsets stays as it is. Knows nothing of what the records are.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from kafka import TopicPartition

from stream.reading import TopicReader

BUFFERED = 50_000
"""Records that may wait for those of slower partitions before the faster ones are paused."""

_T = TypeVar("_T")


def merge(
    reader: TopicReader,
    ends: Mapping[TopicPartition, int],
    decode: Callable[[bytes | None], _T | None],
    time: Callable[[_T], int],
) -> Iterator[_T]:
    """Every record from where `reader` is up to `ends`, decoded; of the partitions' next ones, the earliest.

    What decodes to None is left out. Records beyond `ends` stay unread: a later call goes on from there.
    """
    waiting: dict[TopicPartition, deque[_T]] = {part: deque() for part in reader.partitions}
    open_ = {part for part in reader.partitions if reader.position(part) < ends[part]}
    while True:
        while all(waiting[part] for part in open_) and any(waiting.values()):
            yield min(
                (queue for queue in waiting.values() if queue), key=lambda queue: time(queue[0])
            ).popleft()
        if not open_:
            return
        full = sum(map(len, waiting.values())) > BUFFERED
        reader.read_only({part for part in open_ if not (full and waiting[part])})
        for record in reader.next_records(ends):
            if (item := decode(record.value)) is not None:
                waiting[TopicPartition(record.topic, record.partition)].append(item)
        open_ = {part for part in open_ if reader.position(part) < ends[part]}
