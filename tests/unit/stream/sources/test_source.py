"""A source and its cursor; and that `ingest` knows nothing of a source but the protocol. No broker."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from models.core.errors import UnreadableFile
from models.posts.post_files import read_posts
from stream.config.kafka import Kafka
from stream.messages.base import MAX_POST_BYTES
from stream.sources import ingest as sending
from stream.sources.base import Outgoing, Source, SourcePost
from stream.sources.ingest import ingest
from stream.sources.jsonl import JsonLines, Line, read_lines

LINES = [b'{"id": %d}\n' % number for number in range(3)] + [b"\n", b"garbage\n"]


def json_lines() -> Source:
    return JsonLines(read_lines(io.BytesIO(b"".join(LINES))), None, False)


def test_lines_of_json_are_a_source() -> None:
    source = json_lines()
    source.start()
    assert [
        SourcePost(Outgoing("post 0 (line 1)", b'{"id": 0}', b"0"), "1", 10),
        SourcePost(Outgoing("post 1 (line 2)", b'{"id": 1}', b"1"), "2", 10),
        SourcePost(Outgoing("post 2 (line 3)", b'{"id": 2}', b"2"), "3", 10),
        SourcePost(Outgoing("line 5", b"garbage"), "5", 8),
    ] == list(source.posts())
    source.stop()


@pytest.mark.parametrize("done", [0, 1, 3, 4])
def test_a_source_goes_on_after_a_cursor_with_no_post_left_out_or_twice(done: int) -> None:
    first = json_lines()
    first.start()
    everything = list(first.posts())
    again = json_lines()
    again.start(everything[done - 1].cursor if done else None)
    assert everything[done:] == list(again.posts())


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b'[{"id": 0},\n {"id": 1}]', ["post 0 (item 1)", "post 1 (item 2)"]),
        (b'{\n"id": 0}\n{"id": 1\n}', ["post 0 (item 1)", "post 1 (item 2)"]),
        (b"id,text\n0,a\n\n1,b\n", ["post 0 (row 1)", "post 1 (row 2)"]),
        (gzip.compress(b'{"id": 0}\n\n{"id": 1}\n', mtime=0), ["post 0 (line 1)", "post 1 (line 3)"]),
    ],
)
def test_other_formats_continue_after_a_cursor_too(data: bytes, names: list[str]) -> None:
    first = JsonLines(read_posts(io.BytesIO(data), "feed"), None, False)
    first.start()
    everything = list(first.posts())
    assert names == [sourced.post.name for sourced in everything]
    again = JsonLines(read_posts(io.BytesIO(data), "feed"), None, False)
    again.start(everything[0].cursor)
    assert everything[1:] == list(again.posts())


def test_a_line_that_was_cut_is_marked() -> None:
    source = JsonLines(iter([Line(1, b"x", True)]), None, False)
    source.start()
    assert [True] == [sourced.cut for sourced in source.posts()]


class Sender:
    """Takes what is sent; stands for Kafka."""

    def __init__(self) -> None:
        self.sent = 0
        self.failures: list[tuple[str, str]] = []
        self.log: list[str] = []

    def send(self, name: str, topic: str, value: bytes | None, key: bytes | None) -> None:
        self.sent += 1
        self.log.append(f"sent {name} to {topic}")

    def finish(self) -> None:
        self.log.append("finished")


class Firehose:
    """A source that writes down how it is used, and breaks off with `end`."""

    def __init__(self, log: list[str], end: type[BaseException] | BaseException | None) -> None:
        self.log, self.end = log, end

    def start(self, cursor: str | None = None) -> None:
        self.log.append(f"started at {cursor}")

    def posts(self) -> Iterator[SourcePost]:
        yield SourcePost(Outgoing("a", b"{}"), "17:00", 2)
        yield SourcePost(Outgoing("b", b"x" * MAX_POST_BYTES), "17:01", 2)
        if self.end:
            raise self.end

    def stop(self) -> None:
        self.log.append("stopped")


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Sender:
    sender = Sender()

    @contextmanager
    def opened(kafka: Kafka) -> Iterator[Sender]:
        yield sender

    monkeypatch.setattr(sending, "open_sender", opened)
    return sender


@pytest.mark.parametrize("end", [None, KeyboardInterrupt])
def test_any_source_is_started_sent_and_stopped(sender: Sender, end: type[BaseException] | None) -> None:
    seen: list[str] = []
    report = ingest(Firehose(sender.log, end), Kafka(), progress=lambda post: seen.append(post.cursor))
    assert ["started at None", "sent a to posts", "stopped", "finished"] == sender.log
    assert (1, end is not None, ["17:00", "17:01"]) == (report.sent, report.interrupted, seen)
    [(name, reason)] = report.problems
    assert ("b", True) == (name, reason.endswith(f"at most {MAX_POST_BYTES} are taken"))


def test_a_source_that_breaks_is_stopped(sender: Sender) -> None:
    with pytest.raises(RuntimeError):
        ingest(Firehose(sender.log, RuntimeError), Kafka())
    assert ["started at None", "sent a to posts", "stopped"] == sender.log


def test_posts_before_damage_are_sent_and_the_damage_is_reported(sender: Sender) -> None:
    """In a pipe: a file is checked first."""
    report = ingest(Firehose(sender.log, UnreadableFile("the file is truncated")), Kafka())
    assert ["started at None", "sent a to posts", "stopped", "finished"] == sender.log
    assert (1, "the file is truncated") == (report.sent, report.damage)
