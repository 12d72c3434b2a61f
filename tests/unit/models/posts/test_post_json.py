"""Fields other than `id` and `text` are read in many forms, or skipped and noted."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.posts.post_json import Post, expand_image, read_fields, to_post


def post(**fields: Any) -> Post:
    return to_post({"id": "f3", "text": "Paris in May"} | fields)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("author", 12345, "12345"),
        ("author", 12345.0, "12345"),
        ("author", {"id": 7, "username": "ann"}, "ann"),
        ("author", {"id_str": "7"}, "7"),
        ("author", {"name": None, "id": 7}, "7"),
        ("author", ["ann", "bob"], "ann"),
        ("author", [{"name": "ann"}], "ann"),
        ("source", 7, "7"),
        ("source", {"name": "mastodon"}, "mastodon"),
        ("source", {"id": None, "name": "The Guardian"}, "The Guardian"),
        ("source", ["rss"], "rss"),
        ("lang", ["en"], "en"),
        ("lang", ["en", "fr"], "en"),
        ("lang", {"code": "en"}, "en"),
        ("hashtags", [{"text": "NBA"}], ("NBA",)),
        ("hashtags", [{"tag": "NBA", "start": 1}], ("NBA",)),
        ("hashtags", [{"name": "NBA", "url": "https://m.s/tags/nba"}], ("NBA",)),
        ("hashtags", {"text": "NBA"}, ("NBA",)),
        ("hashtags", [2026, "NBA"], ("2026", "NBA")),
    ],
)
def test_other_forms_are_converted(field: str, value: Any, expected: object) -> None:
    found = post(**{field: value})
    assert (expected, ((field, "converted"),)) == (getattr(found, field), found.notes)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("author", True, None),
        ("author", {}, None),
        ("author", {"verified": True}, None),
        ("author", [], None),
        ("author", "x" * 513, None),
        ("author", float("nan"), None),
        ("source", [None], ""),
        ("source", "x" * 513, ""),
        ("lang", [], None),
        ("lang", "x" * 65, None),
        ("hashtags", [None], None),
        ("hashtags", 1e400, None),
        ("hashtags", {}, None),
        ("created_at", "yesterday", None),
        ("created_at", 0, None),
        ("created_at", {"at": 1}, None),
        ("created_at", float("nan"), None),
        ("images", [{"alt": "no source"}], ()),
        ("images", 7, ()),
    ],
)
def test_what_cannot_be_read_is_skipped(field: str, value: Any, expected: object) -> None:
    found = post(**{field: value})
    assert (expected, ((field, "skipped"),)) == (getattr(found, field), found.notes)


def test_a_list_may_be_usable_in_part() -> None:
    found = post(hashtags=["NBA", None, {"text": "Leafs"}, 1.5e400])
    assert ("NBA", "Leafs") == found.hashtags
    assert (("hashtags", "converted"), ("hashtags", "skipped")) == found.notes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("NBA", ("NBA",)), ("#NBA #Leafs", ("NBA", "Leafs")), ("NBA, Leafs", ("NBA", "Leafs")),
        ("NBA;Leafs", ("NBA", "Leafs")), ("['NBA', 'Leafs']", ("NBA", "Leafs")), ("＃東京", ("東京",)), ("", None),
        ("#", None), ([], ()), (["NBA"], ("NBA",)), (None, None),
    ],
)  # fmt: skip
def test_hashtags_in_one_string(value: Any, expected: object) -> None:
    found = post(hashtags=value)
    assert (expected, ()) == (found.hashtags, found.notes)


def test_hashtags_in_a_string_without_end_are_read_in_part() -> None:
    assert 1000 == len(post(hashtags="a " * 100_000).hashtags or ())


def test_documented_forms_are_nothing_to_note() -> None:
    found = post(
        created_at="Wed Aug 27 13:08:45 +0000 2008", author="ann", lang="en", hashtags=["NBA"], image="a.jpg"
    )
    assert ((), ["a.jpg"]) == (found.notes, [image.path for image in found.images])
    nulls = dict.fromkeys(("created_at", "author", "lang", "source", "hashtags", "image", "images"))
    assert () == post(**nulls).notes


def test_a_field_called_notes_is_unknown() -> None:
    assert () == post(notes=[["author", "skipped"]]).notes


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"image": "rink.jpg"}, [{"path": "rink.jpg"}]),
        ({"image": "https://pbs.twimg.com/media/x.jpg"}, [{"url": "https://pbs.twimg.com/media/x.jpg"}]),
        ({"image": {"url": "https://pbs.twimg.com/1.jpg"}}, [{"url": "https://pbs.twimg.com/1.jpg"}]),
        ({"image": ""}, []),
    ],
)
def test_the_short_form_is_expanded(fields: dict[str, Any], expected: list[dict[str, str]]) -> None:
    assert expand_image(fields)
    assert {"images": expected} == fields
    assert not expand_image(fields)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "name", "text", "url", "path", "data", "alt", "$date"]), inner
        )
    ),
    max_leaves=8,
)
names = st.sampled_from(["created_at", "author", "lang", "source", "hashtags", "images", "image"])


@given(st.dictionaries(names, any_json))
def test_a_post_that_was_read_is_in_documented_form(values: dict[str, Any]) -> None:
    """What is written from a decoded post is read as the same post, with nothing to note."""
    found = post(**values)
    written = {name: value for name, value in found.model_dump().items() if value is not None}
    again = to_post(read_fields(orjson.dumps(written)))
    assert found.model_dump(exclude={"created_at"}) == again.model_dump(exclude={"created_at"})
    assert not {field for field, _ in again.notes} - {"created_at"}
