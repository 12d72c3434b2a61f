"""What is a post, what is none and why; and where a mention is for those who count in UTF-16."""

import functools
import gzip
import tracemalloc
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.core.post import Mention
from models.posts.post_json import MAX_TEXT
from stream.errors import BadPost
from stream.messages.base import encode
from stream.messages.events import EntityEvent, entity_event, event_id, utf8_offset, utf16_offset
from stream.messages.posts import Post, decode_post
from tests.support.cost import cpu_seconds

gzipped = functools.partial(gzip.compress, mtime=0)
"""Without the time, which would differ in the test ids of two processes."""


def post(**fields: object) -> bytes:
    return orjson.dumps({"id": "1", "text": "hi"} | fields)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"[" * 5000, "not valid JSON"),
        (b'{"id": "1", "text": "hi", "x": ' + b"[" * 2000 + b"]" * 2000 + b"}", "nested too deeply"),
        (
            b'{"id": 1e30, "text": "hi", "x": ' + b"[" * 1010 + b"]" * 1010 + b"}",
            "nested too deeply|field 'id'",
        ),
        (b'{"text": "hi"}', "field 'id' is missing"),
        (post(id=""), "field 'id'"),
        (post(text=None), "field 'text'"),
        (post(text="x" * (MAX_TEXT + 1)), "field 'text'"),
        (b'{"id": "1", "text": "hi" "', "not valid JSON"),
        (post()[:-1], "not valid JSON"),
        (b'{"id": "1", "text": NaN}', "field 'text'"),
        (b'{"id": "1", "text": "\xed\xa0\x80"}', "not valid JSON"),
        (post(id=True), "field 'id'"),
        (post(id=1.5), "field 'id'"),
        (post(id=2.0**53), "field 'id'"),  # a float has no more digits: other ids would be the same
        (b'{"id": 1e400, "text": "hi"}', "field 'id'"),
        (post(id={"value": 7}), "field 'id'"),
        (post(text=["hi"]), "field 'text'"),
        (post(text="x" * 10_000_000), r"post has 100000\d\d bytes; at most 8388608"),
        (post(likes="x" * (8 * 2**20)), "at most 8388608"),
    ],
)
def test_a_bad_post_names_its_field(value: bytes | None, reason: str) -> None:
    with pytest.raises(BadPost, match=reason):
        decode_post(value)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (b"\0\0\0\0\x2a" + post(), "Confluent's magic byte and schema id 42"),
        (b"\0\0\x01\x86\xa1\x02\x04hi", "Confluent's magic byte and schema id 100001"),
        (
            orjson.dumps({"schema": {}, "payload": {"id": "1", "text": "hi"}}),
            "value.converter.schemas.enable=false",
        ),
        (orjson.dumps({"schema": None, "payload": "hi"}), "Kafka Connect's schema envelope"),
        (
            orjson.dumps({"schema": {}, "payload": {"before": None, "after": {"id": 1}, "op": "c"}}),
            "Debezium.*ExtractNewRecordState, and set value.converter.schemas.enable=false",
        ),
        (orjson.dumps({"before": None, "after": {"id": 1}, "op": "c"}), "Debezium.*ExtractNewRecordState"),
        (orjson.dumps({"data": {"id": "1", "text": "hi"}, "includes": {}}), "in field 'data'"),
        (orjson.dumps({"specversion": "1.0", "id": "7", "data": {"text": "hi"}}), "in field 'data'"),
        (orjson.dumps(post().decode()), "got a string .*serialize the post once"),
        (b"[" + post() + b"]", "got an array .*each of its items"),
        (gzipped(post()), "looks like gzip"),
        (post().decode().encode("utf-16"), "looks like UTF-16"),
        (post().decode().encode("utf-16-le"), "looks like UTF-16"),
        (b'{"id": "1", "text": "Zo\xeb"}', "invalid UTF-8 at byte 23"),
    ],
)
def test_the_reason_says_what_the_record_looks_like(value: bytes, hint: str) -> None:
    with pytest.raises(BadPost, match=hint):
        decode_post(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"id":"1","text":"Paris","score":NaN}', ("1", "Paris")),
        (b'{"id":"1","text":"Paris","score":[-Infinity, 1e400]}', ("1", "Paris")),
        (b'{"id":"1","text":"Paris","created_at":NaN}', ("1", "Paris")),
        (b'{"id":1,"text":"Paris","score":' + b"9" * 5000 + b"}", ("1", "Paris")),
        (b'{"id":18446744073709551616,"text":"Paris"}', ("18446744073709551616", "Paris")),
        (b'{"id":18446744073709551616,"text":"Paris","likes":NaN}', ("18446744073709551616", "Paris")),
        (b'{"id":-7,"text":""}', ("-7", "")),
        (b'{"id":1e5,"text":""}', ("100000", "")),
        (b'{"id":{"$oid":"5f0c"},"text":""}', ("5f0c", "")),
        (b'{"id":{"$numberLong":"12"},"text":""}', ("12", "")),
        (b'\xef\xbb\xbf{"id":"1","text":"Paris"}', ("1", "Paris")),
        (rb'{"id":"1","text":"Paris \ud83d"}', ("1", "Paris \ufffd")),
        (rb'{"id":"1","text":"\ude00 Paris \ud83d\ud83d\ude00"}', ("1", "\ufffd Paris \ufffd😀")),
        (rb'{"id":"1","text":"\\ud800","lang":"\ud800"}', ("1", r"\ud800")),
    ],
)
def test_what_other_parsers_let_pass_costs_no_post(value: bytes, expected: tuple[str, str]) -> None:
    found = decode_post(value)
    assert expected == (found.id, found.text)


def test_a_post_is_read_whole_and_unknown_fields_are_ignored() -> None:
    value = post(
        created_at="1970-01-01T00:00:01+00:00", hashtags=["Riga"], images=[{"data": "aGk="}], likes=3
    )
    expected = ("1", "hi", 1000, ("Riga",), "aGk=")
    read = decode_post(value)
    assert expected == (read.id, read.text, read.created_at, read.hashtags, read.images[0].data)


def test_null_is_absent() -> None:
    """Many exporters write every column of every row."""
    nulls = dict.fromkeys(("created_at", "author", "lang", "source", "hashtags"))
    images = [{"path": "a.jpg", "alt": None, "url": None, "data": None}]
    assert decode_post(post(images=[{"path": "a.jpg"}])) == decode_post(post(**nulls, images=images))
    assert () == decode_post(post(images=None)).images


@pytest.mark.parametrize(
    "time", ["1970-01-01T00:00:01Z", "1970-01-01t00:00:01z", "1970-01-01 01:00:01+01:00"]
)
def test_times_are_read_in_every_form_of_rfc_3339(time: str) -> None:
    assert 1000 == decode_post(post(created_at=time)).created_at


def test_ids_that_are_numbers_are_their_digits() -> None:
    assert "9007199254740993" == decode_post(b'{"id": 9007199254740993, "text": ""}').id


def test_nul_is_a_character_like_others() -> None:
    assert "a\0b" == decode_post(b'{"id": "1", "text": "a\\u0000b"}').text


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    assert "b" == decode_post(b'{"id": "1", "text": "a", "text": "b"}').text


@pytest.mark.parametrize(
    ("field", "item"), [("hashtags", 0), ("hashtags", {}), ("images", 0), ("images", {})]
)
def test_a_list_that_is_wrong_in_every_item_costs_no_more_than_one(field: str, item: object) -> None:
    """8 MB of it took 7 GB and a minute, in which the worker answered nobody, when each error was collected."""
    value = post(**{field: [item] * 500_000})
    tracemalloc.start()
    try:
        decode_post(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80 * 500_000 + 20 * len(value)  # the decoded JSON, where errors took 800 bytes an item


any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    ["id", "text", "created_at", "author", "lang", "source", "hashtags", "images", "image", "other"]
)


@given(st.dictionaries(fields, any_json))
def test_any_json_in_the_fields_is_a_post_or_a_bad_post(values: dict[str, object]) -> None:
    """And a post is one with the id and text that it was given: nothing is made up for what does not fit."""
    value = orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS)
    with suppress(BadPost):
        found = decode_post(value)
        given = values["id"]
        whole = int(given) if isinstance(given, float) else given
        assert (str(whole), values["text"]) == (found.id, found.text)


@given(st.dictionaries(fields, any_json))
def test_only_id_and_text_can_make_a_post_bad(values: dict[str, object]) -> None:
    found = decode_post(post(**values | {"id": "1", "text": "hi"}))
    assert ("1", "hi") == (found.id, found.text)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_post_or_a_bad_post(value: bytes) -> None:
    with suppress(BadPost):
        assert isinstance(decode_post(value), Post)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.integers(0, 30))
def test_utf8_offsets_are_those_of_an_encoder(text: str, offset: int) -> None:
    assert len(text[:offset].encode()) == utf8_offset(text, min(offset, len(text)))


@given(st.text(max_size=30), st.integers(0, 30))
def test_utf16_offsets_are_those_of_an_encoder(text: str, offset: int) -> None:
    expected = len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2
    assert expected == utf16_offset(text, min(offset, len(text)))


def test_offsets_of_20_000_mentions_are_counted_in_one_pass() -> None:
    """A post of 100,000 characters can have as many; counting from the start for each blocked the worker's event loop
    for two minutes."""
    text = "\U0001f600 Rome "[:7] * (MAX_TEXT // 7)
    starts = range(2, len(text) - 4, 5)
    assert (
        cpu_seconds(lambda: [(utf16_offset(text, start), utf8_offset(text, start)) for start in starts]) < 5
    )
    assert len(text) + len(text) // 7 == utf16_offset(text, len(text))


def test_an_event_goes_out_and_comes_back() -> None:
    text = "👨‍👩‍👧 in Riga"
    mention = Mention(9, 13, "Riga", "LOC", 0.75, {"text": 1.0})
    event = entity_event(Post(id="1", text=text, lang="lv"), mention, "riga", 5, "trimod", "v", 7)
    assert "Riga" == text.encode("utf-16-le")[2 * event.start_utf16 : 2 * event.end_utf16].decode("utf-16-le")
    assert "Riga" == text.encode()[event.start_utf8 : event.end_utf8].decode()
    assert ("lv", 5, 7) == (event.lang, event.created_at, event.tagged_at)
    assert event == EntityEvent.model_validate(orjson.loads(encode(event)))
    assert 1 == orjson.loads(encode(event))["schema"]


def test_events_of_earlier_workers_are_still_read() -> None:
    mention = Mention(3, 7, "Riga", "LOC", 0.75, {"text": 1.0})
    post = Post(id="1", text="in Riga")
    event = orjson.loads(encode(entity_event(post, mention, "riga", 5, "trimod", "v")))
    for name in ("start_utf8", "end_utf8", "lang", "tagged_at"):
        del event[name]
    assert "Riga" == EntityEvent.model_validate(event).text


def test_event_ids_repeat_for_a_replay_and_differ_for_anything_else() -> None:
    identity = ("feed", "1", 0, 4, "LOC")
    assert event_id(*identity) == event_id(*identity)
    others = {
        event_id("feed2", "1", 0, 4, "LOC"),
        event_id("feed", "1", 0, 4, "PER"),
        event_id("feed", "1", 0, 5, "LOC"),
    }
    assert event_id(*identity) not in others
    assert 3 == len(others)
