"""The images of a post, in the forms of exporters; and their bytes."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.posts.field_notes import FieldNotes
from models.posts.image_fields import image_bytes, read_images

URL = "https://pbs.twimg.com/1.jpg"
FIVE = [{"url": f"https://i.redd.it/{n}.jpg"} for n in range(5)]


def read(**fields: Any) -> tuple[list[dict[str, str]], tuple[tuple[str, str], ...]]:
    notes = FieldNotes()
    return read_images(fields, notes), notes.all()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"image": "rink.jpg"}, {"path": "rink.jpg"}),
        ({"image": URL}, {"url": URL}),
        ({"image": f" {URL}\n"}, {"url": URL}),
        ({"image": "//pbs.twimg.com/1.jpg"}, {"url": URL}),
        ({"image": {"url": URL}}, {"url": URL}),
        ({"image": {"path": "rink.jpg", "alt": "a rink"}}, {"path": "rink.jpg", "alt": "a rink"}),
        ({"image": {"data": "aGk="}}, {"data": "aGk="}),
        ({"image": "data:image/png;base64,aGk="}, {"data": "data:image/png;base64,aGk="}),
        ({"image": ["rink.jpg"]}, {"path": "rink.jpg"}),
        ({"images": ["rink.jpg"]}, {"path": "rink.jpg"}),
        ({"images": [URL]}, {"url": URL}),
        ({"images": "rink.jpg"}, {"path": "rink.jpg"}),
        ({"images": {"path": "rink.jpg"}}, {"path": "rink.jpg"}),
        ({"images": [], "image": "rink.jpg"}, {"path": "rink.jpg"}),
        ({"images": None, "image": "rink.jpg"}, {"path": "rink.jpg"}),
        ({"images": ["a.jpg"], "image": "rink.jpg"}, {"path": "a.jpg"}),
        ({"images": [{"path": URL}]}, {"url": URL}),
        ({"images": [{"url": "data:image/gif;base64,aGk="}]}, {"data": "data:image/gif;base64,aGk="}),
        ({"images": [{"url": f"{URL}?a=1&amp;b=2"}]}, {"url": f"{URL}?a=1&b=2"}),
        ({"images": [{"url": f"{URL}?a=1&amp;amp;b=2"}]}, {"url": f"{URL}?a=1&b=2"}),
        ({"images": [{"url": f"{URL}?a=1&#38;b=2&#x26;c"}]}, {"url": f"{URL}?a=1&b=2&c"}),
        ({"image": "https:&#x2F;&#x2F;pbs.twimg.com&#x2F;1.jpg"}, {"url": URL}),
        ({"images": [{"url": f"{URL}?a=1&copy=2&lt=3"}]}, {"url": f"{URL}?a=1&copy=2&lt=3"}),
        ({"image": "a&amp;b.jpg"}, {"path": "a&amp;b.jpg"}),
        ({"image": "C:\\pictures\\rink.jpg"}, {"path": "C:\\pictures\\rink.jpg"}),
        ({"images": [{"url": "", "path": "rink.jpg", "data": None}]}, {"path": "rink.jpg"}),
    ],
)
def test_each_documented_form_is_one_image(fields: dict[str, Any], expected: dict[str, str]) -> None:
    assert ([expected], ()) == read(**fields)


@pytest.mark.parametrize(
    ("images", "expected", "outcome"),
    [
        (FIVE, FIVE[:4], "skipped"),
        ([None, *FIVE], FIVE[:4], "skipped"),
        (["a.jpg", None, 7, {}, {"alt": "nothing"}, []], [{"path": "a.jpg"}], "skipped"),
        ([{"path": "a.jpg", "alt": 7}], [{"path": "a.jpg"}], "skipped"),
        ([{"path": "a.jpg", "url": URL}], [{"url": URL}], "converted"),
        ([{"url": URL, "data": "aGk="}], [{"data": "aGk="}], "converted"),
        ([{"url": {"href": URL}, "path": "a.jpg"}], [{"path": "a.jpg"}], "converted"),
        (7, [], "skipped"),
        ([0] * 5000, [], "skipped"),
    ],
)
def test_the_usable_ones_are_used(images: Any, expected: list[dict[str, str]], outcome: str) -> None:
    assert (expected, (("images", outcome),)) == read(images=images)


@pytest.mark.parametrize("fields", [{}, {"image": ""}, {"image": None}, {"images": []}, {"images": None}])
def test_no_image_is_nothing_to_note(fields: dict[str, Any]) -> None:
    assert ([], ()) == read(**fields)


@given(st.binary(max_size=100), st.booleans(), st.booleans(), st.integers(1, 76), st.booleans())
def test_base64_is_read_in_every_spelling(
    data: bytes, url_safe: bool, padded: bool, width: int, uri: bool
) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    text = text if padded else text.rstrip("=")
    text = "\r\n".join(text[place : place + width] for place in range(0, len(text), width))
    assert data == image_bytes(f"data:image/png;base64,{text}" if uri else text)


@pytest.mark.parametrize(
    "text",
    [
        "data:;base64,aGk=", "DATA:image/png;BASE64,aGk=", "data:image/png;charset=utf-8;base64,aGk",
        "data:image/png;base64,aGk%3D", "data:,hi", "data:text/plain,h%69", " data:image/png;base64, aGk= \n",
        "aGk=\n", "aGk", "aG k=", "\taGk=",
    ],
)  # fmt: skip
def test_data_uris_and_line_breaks(text: str) -> None:
    assert b"hi" == image_bytes(text)


@pytest.mark.parametrize("text", ["no base64!", "a", "é", "data:image/png;base64,***", "aGk=aGk="])
def test_invalid_base64_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii's
        image_bytes(text)
