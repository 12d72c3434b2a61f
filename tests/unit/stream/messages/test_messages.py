"""What is a post, what is none and why; and where a mention is for those who count in UTF-16."""

import time
import tracemalloc
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.core.post import Mention
from models.core.post_json import MAX_TEXT
from stream.errors import BadPost
from stream.messages.base import encode
from stream.messages.events import EntityEvent, entity_event, event_id, utf16_offset
from stream.messages.posts import Post, decode_post


def post(**fields: object) -> bytes:
    return orjson.dumps({"id": "1", "text": "hi"} | fields)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"id": "1", "text": "\\ud800"}', "not valid JSON"),
        (b"[" * 5000, "not valid JSON"),
        (b'{"text": "hi"}', "field 'id' is missing"),
        (post(id=""), "field 'id'"),
        (post(text=None), "field 'text'"),
        (post(text="x" * (MAX_TEXT + 1)), "field 'text'"),
        (post(hashtags="Riga"), "field 'hashtags'"),
        (post(hashtags=[1]), r"field 'hashtags\[0\]'"),
        (post(created_at="yesterday"), "field 'created_at'"),
        (post(created_at="2026-01-01T00:00:00"), "field 'created_at': .*offset"),
        (post(images=[{"alt": "no source"}]), r"field 'images\[0\]': needs exactly one"),
        (post(images=[{"url": "u", "path": "p"}]), r"field 'images\[0\]': needs exactly one"),
        (post(images=[{"data": 7}]), r"field 'images\[0\].data'"),
        (post(images=["a.jpg"]), r"field 'images\[0\]'"),
        (post(images=[{"path": "p"}] * 5), "field 'images'"),
        (post(author="x" * 513), "field 'author'"),
        (post(source="x" * 513), "field 'source'"),
        (b'{"id": "1", "text": "hi" "', "not valid JSON"),
        (post()[:-1], "not valid JSON"),
        (b'{"id": "1", "text": NaN}', "not valid JSON"),
        (b'{"id": "1", "text": "hi", "likes": 1e400}', "not valid JSON"),
        (b'{"id": "1", "text": "\xed\xa0\x80"}', "not valid JSON"),
        (b'{"id": 18446744073709551616, "text": "hi"}', "field 'id'"),
        (post(id=True), "field 'id'"),
        (post(text="x" * 10_000_000), r"post has 100000\d\d bytes; at most 8388608"),
        (post(likes="x" * (8 * 2**20)), "at most 8388608"),
    ],
)
def test_a_bad_post_names_its_field(value: bytes | None, reason: str) -> None:
    with pytest.raises(BadPost, match=reason):
        decode_post(value)


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


@pytest.mark.parametrize("field", ["hashtags", "images"])
def test_a_list_that_is_wrong_in_every_item_costs_no_more_than_one(field: str) -> None:
    """8 MB of it took 7 GB and a minute, in which the worker answered nobody, when each error was collected."""
    value = post(**{field: [0] * 500_000})
    tracemalloc.start()
    try:
        with pytest.raises(BadPost) as caught:
            decode_post(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 200
    assert peak < 30 * len(value)  # two lists of pointers, where errors took 800 bytes an item


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
    ["id", "text", "created_at", "author", "lang", "source", "hashtags", "images", "other"]
)


@given(st.dictionaries(fields, any_json))
def test_any_json_in_the_fields_is_a_post_or_a_bad_post(values: dict[str, object]) -> None:
    """And a post is one with the id and text that it was given: nothing is made up for what does not fit."""
    value = orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS)
    with suppress(BadPost):
        found = decode_post(value)
        assert (str(values["id"]), values["text"]) == (found.id, found.text)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_post_or_a_bad_post(value: bytes) -> None:
    with suppress(BadPost):
        assert isinstance(decode_post(value), Post)


@given(st.text(max_size=30), st.integers(0, 30))
def test_utf16_offsets_are_those_of_an_encoder(text: str, offset: int) -> None:
    expected = len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2
    assert expected == utf16_offset(text, min(offset, len(text)))


def test_offsets_of_20_000_mentions_are_counted_in_one_pass() -> None:
    """A post of 100,000 characters can have as many; counting from the start for each blocked the worker's event loop
    for two minutes."""
    text = "\U0001f600 Rome "[:7] * (MAX_TEXT // 7)
    began = time.process_time()
    for start in range(2, len(text) - 4, 5):
        utf16_offset(text, start)
    assert time.process_time() - began < 5
    assert len(text) + len(text) // 7 == utf16_offset(text, len(text))


def test_an_event_goes_out_and_comes_back() -> None:
    text = "👨‍👩‍👧 in Riga"
    mention = Mention(9, 13, "Riga", "LOC", 0.75, {"text": 1.0})
    event = entity_event(Post(id="1", text=text), mention, "riga", 5, "trimod", "v")
    assert "Riga" == text.encode("utf-16-le")[2 * event.start_utf16 : 2 * event.end_utf16].decode("utf-16-le")
    assert event == EntityEvent.model_validate(orjson.loads(encode(event)))
    assert 1 == orjson.loads(encode(event))["schema"]


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
