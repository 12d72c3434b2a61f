"""How lines become records, without a broker: keys, the short form of an image, and lines as they come."""

import base64
import io
import json
import os
from pathlib import Path

import orjson
import pytest

from stream.sources import jsonl
from stream.sources.jsonl import Line, Outgoing, prepare, read_lines


def test_a_post_goes_as_it_is() -> None:
    """Byte for byte: the spaces and the order are the sender's."""
    line = b'{ "text":"x",  "id": "a" }'
    assert Outgoing("post a (line 1)", line, b"a") == prepare(Line(1, line), None, False)


def test_a_number_as_id_is_keyed_by_its_digits() -> None:
    assert b"5" == prepare(Line(1, b'{"id": 5}'), None, False).key


def test_what_is_no_post_is_sent_without_a_key() -> None:
    """Nothing is lost: the worker puts it aside with the reason."""
    lines = [b"garbage", b"[1]", b'{"text": "x"}', b'{"id": true}', b'{"id": ""}', b"\xff"]
    sent = [prepare(Line(1, line), None, False) for line in lines]
    assert [Outgoing("line 1", line) for line in lines] == sent


def test_the_short_form_of_an_image() -> None:
    sent = prepare(Line(1, b'{"id": "a", "image": "x.jpg"}'), None, False)
    assert {"id": "a", "images": [{"path": "x.jpg"}]} == orjson.loads(sent.value)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ('"https://pbs.twimg.com/media/x.jpg"', {"url": "https://pbs.twimg.com/media/x.jpg"}),
        ('{"url": "https://pbs.twimg.com/1.jpg"}', {"url": "https://pbs.twimg.com/1.jpg"}),
        ('{"path": "x.jpg", "alt": "y"}', {"path": "x.jpg", "alt": "y"}),
        ('"data:image/png;base64,aGk="', {"data": "data:image/png;base64,aGk="}),
    ],
)
def test_the_short_form_may_be_a_url_or_an_object(image: str, expected: dict[str, str]) -> None:
    line = f'{{"id": "a", "text": "NaN is not in JSON", "score": NaN, "image": {image}}}'.encode()
    sent = prepare(Line(1, line), None, False)
    assert [expected] == json.loads(sent.value)["images"]


def test_strange_values_are_sent_as_they_are() -> None:
    line = rb'{"id": 18446744073709551616, "text": "\ud83d", "n": 99999999999999999999, "image": "x.jpg"}'
    sent = prepare(Line(1, line), None, False)
    assert b"18446744073709551616" == sent.key
    assert 99999999999999999999 == json.loads(sent.value)["n"]


def test_images_of_any_form_are_looked_up(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"picture")
    post = b'{"id": "a", "images": ["x.jpg", "none.jpg", "https://i.redd.it/a.jpg", {"path": "x.jpg"}, "fifth.jpg"]}'
    assert 1 == prepare(Line(1, post), tmp_path, False).missing_images
    data = base64.b64encode(b"picture").decode()
    sent = prepare(Line(1, post), tmp_path, True)
    expected = [{"data": data}, {"path": "none.jpg"}, {"url": "https://i.redd.it/a.jpg"}, {"data": data}]
    assert expected == orjson.loads(sent.value)["images"]


def test_images_are_embedded_or_counted_as_missing(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"picture")
    post = b'{"id": "a", "images": [{"path": "x.jpg", "alt": "y"}, {"path": "none.jpg"}, {"path": "../x"}]}'
    sent = prepare(Line(1, post), tmp_path, True)
    data = base64.b64encode(b"picture").decode()
    images = [{"alt": "y", "data": data}, {"path": "none.jpg"}, {"path": "../x"}]
    assert (2, images) == (sent.missing_images, orjson.loads(sent.value)["images"])
    assert (2, post) == (
        prepare(Line(1, post), tmp_path, False).missing_images,
        prepare(Line(1, post), None, True).value,
    )


def test_lines_are_numbered_and_blank_ones_skipped() -> None:
    stream = io.BytesIO(b'{"id": 1}\r\n\n  \n{"id": 2}')
    assert [Line(1, b'{"id": 1}'), Line(4, b'{"id": 2}')] == list(read_lines(stream))


def test_a_huge_line_is_cut_and_the_next_one_is_whole() -> None:
    limit = jsonl.MAX_LINE
    stream = io.BytesIO(b"x" * (limit + 5) + b"\nnext\n")
    assert [(1, limit, True), (2, 4, False)] == [
        (line.number, len(line.data), line.cut) for line in read_lines(stream)
    ]


def test_a_line_of_a_live_pipe_is_there_at_once() -> None:
    """`tail -f | trimod ingest -`: no waiting for a full buffer. Hangs if it does."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as pipe:
        pipe.write(b"first\n")
        assert Line(1, b"first") == next(read_lines(stream))
