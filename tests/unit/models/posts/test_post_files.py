"""Files of posts: the formats that are read, and those that are rejected before the first post."""

import bz2
import csv
import functools
import gzip
import io
import json
import lzma
import os
import random
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from models.core.errors import UnreadableFile
from models.posts import json_stream, post_files
from models.posts.lines import Line
from models.posts.post_files import read_posts

gzipped = functools.partial(gzip.compress, mtime=0)
"""Without the time, which would differ in the test ids of two processes."""

POSTS = [{"id": str(n), "text": f'He said "{{[ {n}" in\nZürich \\'} for n in range(3)]
LINES = "".join(json.dumps(post, ensure_ascii=False) + "\n" for post in POSTS).encode()
ARRAY = json.dumps(POSTS).encode()
PRETTY = "\n".join(json.dumps(post, indent=2) for post in POSTS).encode()
BOM = b"\xef\xbb\xbf"


class Pipe(io.BytesIO):
    """Cannot be read twice."""

    def seekable(self) -> bool:
        return False


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def table(delimiter: str = ",", **options: Any) -> bytes:
    out = io.StringIO()
    rows = csv.DictWriter(out, ["id", "text", "likes"], delimiter=delimiter, **options)
    rows.writeheader()
    rows.writerows(POSTS)
    return out.getvalue().encode()


def read(data: bytes, **options: Any) -> list[Line]:
    return list(read_posts(io.BytesIO(data), "feed", **options))


def decoded(data: bytes) -> list[Any]:
    return [json.loads(line.data) for line in read(data)]


@pytest.mark.parametrize(
    "data",
    [
        LINES,
        BOM + LINES,
        LINES.rstrip(),
        LINES.replace(b"\n", b"\r\n"),
        b"\n \n" + LINES,
        LINES[: LINES.index(b"\n") + 1] + BOM + LINES[LINES.index(b"\n") + 1 :],
        LINES.replace(b"\n", b"\r"),
        ARRAY,
        BOM + ARRAY,
        json.dumps(POSTS, indent=2).encode(),
        json.dumps(POSTS, indent="\t").replace("\n", "\r\n").encode(),
        ARRAY[:-1] + b",]",
        ARRAY[: ARRAY.index(b"},") + 1] + b"]\n[" + ARRAY[ARRAY.index(b"},") + 2 :],
        PRETTY,
        BOM + PRETTY,
        b"".join(LINES.splitlines()),
        LINES.replace(b"}\n", b"},\n"),
        b"".join(b"\x1e" + line for line in LINES.splitlines(keepends=True)),
        table(),
        BOM + table(),
        table(quoting=csv.QUOTE_ALL, lineterminator="\n"),
        table("\t"),
        table(";"),
        gzipped(LINES),
        gzipped(LINES[:40]) + gzipped(LINES[40:]),
        gzipped(ARRAY),
        gzipped(BOM + table()),
        bz2.compress(LINES),
        bz2.compress(LINES[:40]) + bz2.compress(LINES[40:]),
        lzma.compress(PRETTY),
        zstd(LINES),
        zstd(LINES[:40]) + zstd(LINES[40:]),
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd(LINES),
    ],
)
def test_a_file_of_posts_is_read(data: bytes) -> None:
    assert POSTS == decoded(data)
    assert POSTS == [json.loads(line.data) for line in read_posts(Pipe(data), "feed")]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"[]", b"[\n]", b"id,text\n", BOM, gzipped(b""), zstd(b"")])
def test_an_empty_file_has_no_posts(data: bytes) -> None:
    assert [] == read(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (LINES.decode().encode("utf-16"), "UTF-16"),
        (LINES.decode().encode("utf-16-le"), "UTF-16"),
        (LINES.decode().encode("utf-16-be"), "UTF-16"),
        (LINES.decode().encode("utf-32"), "UTF-32"),
        (b'event: update\ndata: {"id": 1}\n\n', "server-sent events"),
        (b'data: {"id": 1}\n\n', "server-sent events"),
        (b":)\n\nevent: delete\ndata: 7\n\n", "server-sent events"),
        (b'id: 5\nretry: 10\ndata: {"id": 1}\n\n', "server-sent events"),
        (b'<?xml version="1.0"?><posts/>', "HTML or XML"),
        (b"\n<!DOCTYPE html><html>", "HTML or XML"),
        (b'<rss version="2.0"><channel>', "HTML or XML"),
        (b"PAR1\x15\x04\x15", "a Parquet file"),
        (b"PK\x03\x04\x14\x00", "a zip archive"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not UTF-8"),
        (gzipped(gzipped(LINES)), "gzip data"),
        (gzipped(b"posts.jsonl" + b"\0" * 89 + LINES), "binary data"),
        (b"Auston Matthews is back\n" + LINES, "line 1 is neither JSON nor a table header: 'Auston"),
        (b"2026-01-01 10:00:00 INFO connected\n", "neither JSON nor"),
        (b"id,body\n1,x\n", "neither JSON nor a table header"),
        (b"[1, 2]", "neither JSON nor"),
        (b"[\n1,\n2]", "the items of the array are not objects"),
        (b"{'id': 1, 'text': 'x'}\n" * 3, "line 1 is not valid JSON"),
        (b'{"id": 1, "text": "x"', "line 1 is not valid JSON"),
        (b'{"data": [{"id": "1", "text": "x"}], "meta": {}}', "in field 'data'"),
        (b'{"schema": {}, "payload": {"id": "1", "text": "x"}}\n', "Kafka Connect"),
        (gzipped(LINES)[:-6], "truncated"),
        (bz2.compress(LINES)[:-6], "truncated"),
        (lzma.compress(LINES)[:-9], "truncated"),
        (zstd(LINES)[:-3], "truncated"),
        (zstd(LINES) + zstd(LINES)[:9], "truncated"),
        (gzipped(LINES)[:-8] + b"12345678", "CRC"),
        (gzipped(LINES) + b"rest", "damaged"),
        (ARRAY[:-1], "the array has no end"),
        (ARRAY[:-9], "item 3"),
        (ARRAY + b" x", "after the end of the array"),
        (ARRAY.replace(b"},", b"}"), "not followed by a comma"),
        (PRETTY[:-3], "item 3: .*truncated"),
        (PRETTY + b"rest", "item 4 is not a JSON object"),
        (b"id,text\n1,a\n2,b,c\n", "row 2: 3 cells, but the header has 2"),
        (b'id,text\n1,"a\n', "row 1: unexpected end of data"),
        (b'id,text\n1,"a" b\n', "row 1"),
        (b"id,text\n1,a\n2,Zo\xeb\n", "row 2: invalid UTF-8"),
    ],
)
def test_anything_else_is_rejected_before_the_first_post(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=f"^feed: .*{reason}"):
        read_posts(io.BytesIO(data), "feed")


def test_a_pipe_is_read_up_to_the_damage() -> None:
    found = read_posts(Pipe(gzipped(LINES)[:-6]), "feed")
    assert POSTS == [json.loads(next(found).data) for _ in POSTS]
    with pytest.raises(UnreadableFile, match="truncated"):
        next(found)


def test_a_broken_line_of_json_lines_costs_itself_only() -> None:
    """The worker moves it to the dead letters, with the reason."""
    broken = b'{"id": 1, "te\n'
    assert [broken.strip(), *LINES.splitlines()] == [line.data for line in read(broken + LINES)]
    assert [*LINES.splitlines(), b"garbage"] == [line.data for line in read(LINES + b"garbage\n")]


def test_posts_are_given_as_they_are_written() -> None:
    assert [Line(1, b'{ "id":1 }'), Line(3, b'{"id" : 2}')] == read(b'{ "id":1 }\n\n {"id" : 2}\r\n')
    objects = b'[ { "id":1 , "x":NaN } , {"id":2}\n]'
    assert [b'{ "id":1 , "x":NaN }', b'{"id":2}'] == [line.data for line in read(objects)]
    assert ["item 1", "item 2"] == [line.name for line in read(objects)]


def test_the_cells_of_a_table() -> None:
    data = (
        b" ID ,Text,created_at,hashtags,image\r\n"
        b'1,"two\r\nlines, ""quoted""",2026-01-01,"[""NBA"", ""Leafs""]",a.jpg\r\n'
        b"\r\n2,,,,\r\n3,[sic] x,,#NBA,\r\n"
    )
    assert [
        {
            "id": "1",
            "text": 'two\r\nlines, "quoted"',
            "created_at": "2026-01-01",
            "hashtags": ["NBA", "Leafs"],
            "image": "a.jpg",
        },
        {"id": "2", "text": ""},
        {"id": "3", "text": "[sic] x", "hashtags": "#NBA"},
    ] == decoded(data)
    assert ["row 1", "row 2", "row 3"] == [line.name for line in read(data)]


@pytest.mark.parametrize(
    "data",
    [
        b"Auston Matthews is back\n",
        b"<3 this\n",
        b"data is the new oil\n",
        b"[BREAKING] news\n",
        b"{not JSON\n",
        b"ORCL\n",
    ],
)
def test_lines_of_text_are_read_if_wanted(data: bytes) -> None:
    assert [Line(1, data.strip()), Line(2, b"x")] == read(data + b"x\n", plain_text=True)


@pytest.mark.parametrize(
    "data", [LINES.decode().encode("utf-16"), ARRAY[:-1], gzipped(LINES)[:-6], b"<!DOCTYPE html>"]
)
def test_what_is_not_text_is_rejected_also_then(data: bytes) -> None:
    with pytest.raises(UnreadableFile):
        read_posts(io.BytesIO(data), "feed", plain_text=True)


@pytest.mark.parametrize("first", [b'{"id": 1}\n', b'[{"id": 1},', b'{\n"id": 1}\n', b"id,text\n1,\n"])
def test_a_post_of_a_live_pipe_is_there_at_once(first: bytes) -> None:
    """`tail -f | trimod ingest -`: no waiting for a full buffer. Hangs if it does."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as pipe:
        pipe.write(first)
        assert 1 == next(read_posts(stream, "feed")).number


def test_an_array_longer_than_a_line_may_be_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dump without line ends; the limit is for one post."""
    monkeypatch.setattr(post_files, "MAX_LINE", 100)
    monkeypatch.setattr(json_stream, "MAX_LINE", 100)
    monkeypatch.setattr(json_stream, "CHUNK", 10)
    for data in (ARRAY, b"".join(LINES.splitlines())):
        assert POSTS == decoded(data)
    with pytest.raises(UnreadableFile, match="item 1: a value has more than 100 bytes"):
        read(json.dumps([{"text": "x" * 200}]).encode())


@pytest.mark.parametrize("packed", [gzip.compress, zstd, bytes])
def test_a_large_file_is_not_held_in_memory(packed: Any) -> None:
    items = [json.dumps({"id": n, "text": random.Random(n).randbytes(500).hex()}) for n in range(20_000)]
    data = packed(f"[{','.join(items)}]".encode())
    stream = io.BytesIO(data)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_posts(stream, "feed"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 20_000 == count
    assert peak < 6 * json_stream.CHUNK


def test_the_check_of_a_file_reports_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_files, "CHECKED", 2)
    calls: list[int] = []
    assert len(POSTS) == len(list(read_posts(io.BytesIO(ARRAY), "feed", checking=lambda: calls.append(1))))
    assert [1, 1] == calls


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = text | st.integers() | st.none() | st.lists(text | st.lists(text, max_size=2), max_size=3)
objects = st.lists(st.dictionaries(text, values, max_size=3), min_size=1, max_size=5)


@given(objects, st.sampled_from([None, 1, "\t"]), st.integers(1, 40))
def test_items_are_cut_wherever_a_read_ends(posts: list[Any], indent: Any, size: int) -> None:
    class Slow(Pipe):
        def read1(self, _: int | None = -1, /) -> bytes:
            return super().read1(size)

    posts = [{"text": ""} | post for post in posts]
    for data in (
        json.dumps(posts, indent=indent),
        "\n".join(json.dumps(post, indent=indent) for post in posts),
    ):
        assert posts == [json.loads(line.data) for line in read_posts(Slow(data.encode()), "feed")]


@given(st.binary(max_size=60) | text.map(str.encode), st.booleans())
def test_any_bytes_are_read_or_rejected(data: bytes, plain_text: bool) -> None:
    with suppress(UnreadableFile):
        assert all(line.data for line in read_posts(io.BytesIO(data), "feed", plain_text=plain_text))
