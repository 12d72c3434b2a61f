"""ingest, tail, lag, dead and top against real servers, called as users call them."""

import asyncio
import gzip
import io
import select
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaConsumer, KafkaProducer

from models.core.post import Mention
from stream.cli.tail import describe
from stream.config.kafka import Kafka
from stream.config.settings import Settings
from stream.counters.store import Counters, CountUpdate
from stream.errors import PassingFault
from stream.kafka.lag import read_lag
from stream.kafka.reader import open_topic
from stream.kafka.sender import open_sender
from stream.messages.base import MAX_POST_BYTES, encode
from stream.messages.events import entity_event
from stream.messages.posts import Post
from stream.sources.ingest import ingest_lines
from stream.sources.jsonl import read_lines
from tests.support.commands import TRIMOD, environ, trimod

pytestmark = pytest.mark.integration

AWAY = "127.0.0.1:1"


def records(kafka: Kafka, topic: str) -> list[Any]:
    with open_topic(kafka, topic) as reader:
        return [record for batch in reader.until(reader.ends()) for record in batch]


def send_events(kafka: Kafka, count: int, post_id: str = "p1") -> list[bytes]:
    post = Post(id=post_id, text="go Toronto Maple Leafs")
    mention = Mention(3, 22, "Toronto Maple Leafs", "ORG", 0.931, {"text": 0.6, "image": 0.4})
    event = encode(entity_event(post, mention, "toronto maple leafs", 1, "trimod", "v"))
    with open_sender(kafka) as sender:
        for _ in range(count):
            sender.send("event", kafka.entities_topic, event, b"ORG:toronto maple leafs")
        sender.finish()
    return [event] * count


def bury(kafka: Kafka, value: bytes | None, key: bytes | None, topic: str, offset: int) -> None:
    """A dead letter as workers write it."""
    headers = {"topic": topic, "partition": "3", "offset": str(offset), "error": "BadPost", "message": "nö"}
    headers |= {"model_version": "v", "time": str(1_795_303_420_000 + offset)}
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    encoded = [(name, text.encode()) for name, text in headers.items()]
    producer.send(kafka.dead_topic, value=value, key=key, headers=encoded).get(10)
    producer.close()


def test_ingest_sends_every_line_in_order_and_names_what_it_cannot(
    settings: Settings, tmp_path: Path
) -> None:
    lines = [b'{"id": "same", "n": %d}' % n for n in range(3000)] + [b"garbage"]
    large = b'{"id": "large", "text": "' + b"x" * MAX_POST_BYTES + b'"}'
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"\n".join([lines[0], large, *lines[1:]]))
    code, out, err = trimod(settings, "ingest", str(path))
    found = records(settings.kafka, settings.kafka.posts_topic)
    assert lines[:-1] == [record.value for record in found if record.key == b"same"]
    assert [b"garbage"] == [record.value for record in found if record.key is None]
    assert (1, True, True) == (code, "sent 3001 posts" in out, "post large (line 2)" in err)


@pytest.mark.parametrize("piped", [False, True])
def test_ingest_reads_other_formats(settings: Settings, tmp_path: Path, piped: bool) -> None:
    path = tmp_path / "posts.json.gz"
    path.write_bytes(
        gzip.compress(b'[\n  {"id": 1, "image": "https://i.redd.it/a.jpg"},\n  {"id": 2}\n]\n', mtime=0)
    )
    name, stdin = ("-", path.read_bytes()) if piped else (str(path), b"")
    code, out, err = trimod(settings, "ingest", name, stdin=stdin)
    assert (0, True, "") == (code, out.startswith("sent 2 posts"), err)
    values = [record.value for record in records(settings.kafka, settings.kafka.posts_topic)]
    expected = [{"id": 1, "images": [{"url": "https://i.redd.it/a.jpg"}]}, {"id": 2}]
    assert expected == sorted(map(orjson.loads, values), key=lambda post: int(post["id"]))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"id": 1}\n'.encode("utf-16"), "UTF-16"),
        (gzip.compress(b'{"id": 1}\n{"id": 2}\n', mtime=0)[:-5], "truncated"),
        (b'[{"id": 1}, {"id": 2}', "the file is truncated"),
        (b"Auston Matthews is back\n", "neither JSON nor a table header"),
    ],
)
def test_ingest_rejects_a_file_before_anything_is_sent(
    settings: Settings, tmp_path: Path, data: bytes, reason: str
) -> None:
    path = tmp_path / "posts"
    path.write_bytes(data)
    code, out, err = trimod(settings, "ingest", str(path))
    assert (1, "", True, True) == (code, out, reason in err, err.startswith(f"trimod: {path}: "))


def test_the_largest_post_that_ingest_takes_is_taken_by_the_broker(kafka: Kafka) -> None:
    """The margin for Kafka's envelope must be wide enough, or the last stage loses what the first let through."""
    text = b'{"id": "a", "text": "%s"}'
    line = text % (b"x" * (MAX_POST_BYTES - 1024 - 1 - len(text) + 2))
    report = ingest_lines(read_lines(io.BytesIO(line)), kafka)
    assert (1, []) == (report.sent, report.problems)


def test_ingest_keeps_its_rate(kafka: Kafka) -> None:
    report = ingest_lines(read_lines(io.BytesIO(b'{"id": 1}\n' * 21)), kafka, rate=20)
    assert 21 == report.sent
    assert 0.9 < report.seconds < 10  # a second; without pauses a fraction of it, on a busy machine more


def test_ingest_sends_lines_of_a_live_pipe_as_they_come(settings: Settings) -> None:
    process = subprocess.Popen(
        [TRIMOD, "ingest", "-"],
        env=environ(settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(b'{"id": 1}\n')
    process.stdin.flush()
    deadline = time.monotonic() + 20
    while not (found := records(settings.kafka, settings.kafka.posts_topic)):
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert ([b'{"id": 1}'], 130, True) == (
        [r.value for r in found],
        process.returncode,
        b"sent 1 post in" in out,
    )


def test_tail_from_beginning_as_json_and_for_people(settings: Settings) -> None:
    events = send_events(settings.kafka, 3)
    code, out, err = trimod(settings, "tail", "--from-beginning", "--json", "--max", "2")
    assert (0, [event.decode() for event in events[:2]], "") == (code, out.splitlines(), err)
    code, out, _ = trimod(settings, "tail", "--from-beginning", "--max", "1")
    line = "ORG   Toronto Maple Leafs (toronto maple leafs)  0.93  text 60% image 40%  post p1\n"
    assert (0, line) == (code, out)


def test_tail_shows_only_what_comes_and_ends_when_nobody_reads(settings: Settings) -> None:
    """The reader of the pipe goes after all that came, and no further event comes to make a write fail."""
    send_events(settings.kafka, 2)
    process = subprocess.Popen(
        [TRIMOD, "tail", "--json"],
        env=environ(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    sent: list[bytes] = []
    while not select.select([process.stdout], [], [], 1.0)[0]:  # it begins some time, and says nothing then
        sent += send_events(settings.kafka, 1, f"new{len(sent)}")
    seen = [process.stdout.readline()]
    while seen[-1] not in (sent[-1] + b"\n", b""):
        seen.append(process.stdout.readline())
    assert [event + b"\n" for event in sent[-len(seen) :]] == seen
    process.stdout.close()
    assert (0, b"") == (process.wait(timeout=20), process.stderr.read())
    process.stderr.close()


def test_a_strangers_words_do_not_steer_the_terminal() -> None:
    assert "\x1b[2J" not in describe(b"\x1b[2J no event")


def test_lag_counts_what_is_not_committed(settings: Settings) -> None:
    kafka = settings.kafka
    ingest_lines(read_lines(io.BytesIO(b"".join(b'{"id": %d}\n' % n for n in range(50)))), kafka)
    before = read_lag(kafka)
    consumer = KafkaConsumer(
        kafka.posts_topic,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    read = 0
    while read < 50:
        read += sum(map(len, consumer.poll(timeout_ms=500, max_records=10).values()))
    consumer.commit()
    ingest_lines(read_lines(io.BytesIO(b'{"id": 1}\n' * 7)), kafka)
    after = read_lag(kafka)
    consumer.close()
    assert (50, 0, 8) == (before.total, before.members, len(before.partitions))
    assert (7, 1, True) == (after.total, after.members, all(row.member for row in after.partitions))
    code, out, _ = trimod(settings, "lag", "--json")
    assert (0, 7) == (code, orjson.loads(out)["total"])


def test_dead_letters_are_listed_shown_and_sent_back_as_they_were(settings: Settings) -> None:
    kafka = settings.kafka
    values = [b'{"id": "a"', b"\xff\x00\x1b[2J", None]
    for offset, value in enumerate(values):
        bury(kafka, value, b"k%d" % offset, kafka.posts_topic, offset)
    code, out, _ = trimod(settings, "dead", "list", "--json", "--max", "2")
    listed = [orjson.loads(line) for line in out.splitlines()]
    assert (0, [("0:1", 6), ("0:2", 0)]) == (code, [(letter["id"], letter["bytes"]) for letter in listed])
    code, out, _ = trimod(settings, "dead", "show", "0:1")
    assert (0, r"\xff\x00\x1b[2J") == (code, out.splitlines()[-1])
    assert "message: nö" in out.splitlines()
    assert (0, "sent back 2 posts\n", "") == trimod(settings, "dead", "replay", "0:1", "0:0")
    assert (0, "sent back 3 posts\n", "") == trimod(settings, "dead", "replay", "--all")
    found = sorted((r.key, r.value or b"") for r in records(kafka, kafka.posts_topic))
    assert (
        sorted([(b"k0", values[0]), (b"k0", values[0]), (b"k1", values[1]), (b"k1", values[1]), (b"k2", b"")])
        == found
    )


def test_the_list_of_dead_letters_fits_80_columns(settings: Settings) -> None:
    for number in range(12):
        bury(settings.kafka, b"x" * 50, b"k" * 40, "social.media.posts.from.everywhere", 10**9 + number)
    producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers)
    message = ("message", b"post 'text' is\n\x1b[31m too long " * 9)
    producer.send(settings.kafka.dead_topic, b"", b"", headers=[("error", b"KillsWorker" * 3), message])
    producer.flush()
    producer.close()
    code, out, _ = trimod(settings, "dead", "list")
    lines = out.splitlines()
    assert (0, 14, True) == (code, len(lines), all(len(line) <= 80 for line in lines))
    assert ["id", *(f"0:{number}" for number in (12, *range(12)))] == [line.split()[0] for line in lines]
    assert "social.media.posts.\N{HORIZONTAL ELLIPSIS}  BadPost" in lines[2]
    assert "\x1b" not in out


def test_a_dead_letter_is_corrected_and_sent_back(settings: Settings, tmp_path: Path) -> None:
    bad, file = b'{"id": "a", "text": 5, "x": "\xc3\xbc"}\r\n', tmp_path / "post.json"
    bury(settings.kafka, bad, b"k", settings.kafka.posts_topic, 1)
    bury(settings.kafka, b"\xff\0", None, settings.kafka.posts_topic, 2)
    for name, expected in (("0:0", bad), ("0:1", b"\xff\0")):
        command = [TRIMOD, "dead", "show", name, "--raw"]
        done = subprocess.run(command, env=environ(settings), capture_output=True, timeout=60)
        assert (0, expected) == (done.returncode, done.stdout)
    for content, told in (
        (bad, "not sent back: the corrected post is still invalid: "),
        (b'{"id": "b", "text": "in Rome"}', "keep the id"),
        (b"", "still invalid"),
    ):
        file.write_bytes(content)
        code, out, err = trimod(settings, "dead", "replay", "0:0", "--file", str(file))
        assert (1, "", True) == (code, out, told in err)
    good = b'{"id": "a", "text": "in Rome"}\n'
    file.write_bytes(good)
    assert (0, "sent back 1 post\n", "") == trimod(settings, "dead", "replay", "0:0", "--file", str(file))
    code, out, _ = trimod(settings, "dead", "replay", "0:1", "--file", "-", stdin=b'{"id": 7, "text": "t"}')
    assert (0, "sent back 1 post\n") == (code, out)
    sent = records(settings.kafka, settings.kafka.posts_topic)
    assert {(b"k", good), (None, b'{"id": 7, "text": "t"}')} == {(each.key, each.value) for each in sent}
    for arguments in (("--all",), ("0:0", "0:1"), ()):
        code, _, err = trimod(settings, "dead", "replay", *arguments, "--file", str(file))
        assert (2, True) == (code, "give its ID" in err)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("show", "0:99"), "no dead letter 0:99"),
        (("show", "x"), "PARTITION:OFFSET"),
        (("replay", "0:99"), "no dead letter 0:99"),
    ],
)
def test_a_wrong_name_of_a_dead_letter_is_said_in_one_line(
    settings: Settings, arguments: tuple[str, ...], part: str
) -> None:
    code, _, err = trimod(settings, "dead", *arguments)
    assert (1, 1, True) == (code, len(err.splitlines()), part in err)


def test_top_before_anything_is_counted(settings: Settings) -> None:
    assert (0, "nothing counted yet\n", "") == trimod(settings, "top")


def test_top_of_a_type_that_there_is_not(settings: Settings) -> None:
    code, out, err = trimod(settings, "top", "person")
    assert (1, "", "trimod: unknown type PERSON: expected one of LOC, MISC, ORG, PER\n") == (code, out, err)
    assert (0, "nothing counted yet\n", "") == trimod(settings, "top", "per")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "-"),
        ("tail",),
        ("dead", "list"),
        ("top",),
        ("counters", "rebuild"),
    ],
)
def test_servers_away_are_said_in_one_line_that_names_the_address(arguments: tuple[str, ...]) -> None:
    away = Settings(kafka={"bootstrap_servers": AWAY}, redis={"url": f"redis://{AWAY}/0"})
    code, out, err = trimod(away, *arguments, stdin=b'{"id": 1}\n')
    assert (PassingFault.exit_code, "", 1, True) == (code, out, len(err.splitlines()), AWAY in err)


def count_one(settings: Settings, created_at: int) -> None:
    """One post of that time (epoch ms), counted as by a worker."""

    async def count() -> None:
        counters = Counters(settings.redis, settings.kafka.group)
        try:
            update = CountUpdate(0, "s", "p", created_at, int(time.time() * 1000), (("PER", "ada"),))
            await counters.apply("u", 0, [update])
        finally:
            await counters.close()

    asyncio.run(count())


@pytest.mark.parametrize(
    ("age", "window", "told"),
    [
        (2 * 3600, "15m", "the newest counted mention is of {when} UTC (by the post's own time)"),
        (20 * 86400, "7d", "the newest counted mention is of {day} "),
        (500 * 86400, "1h", "the counted posts are older than redis.keep_days, or from the future"),
        (-86400, "1h", "the counted posts are older than redis.keep_days, or from the future"),
    ],
)
def test_top_says_what_lies_outside_the_window(settings: Settings, age: int, window: str, told: str) -> None:
    assert (0, "nothing counted yet\n", "") == trimod(settings, "top", "--window", window)
    created = datetime.now(UTC) - timedelta(seconds=age)
    count_one(settings, int(created.timestamp() * 1000))
    code, out, _ = trimod(settings, "top", "PER", "--window", window)
    expected = told.format(when=created.strftime("%Y-%m-%d %H:%M"), day=created.strftime("%Y-%m-%d"))
    assert (0, True) == (code, out.startswith(f"nothing counted in this window: {expected}"))
    assert "ada" in trimod(settings, "top")[1]
