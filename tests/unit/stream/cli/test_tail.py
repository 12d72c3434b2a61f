"""Which events `trimod tail` shows with --type and --text."""

import pytest

from models.core.post import Mention
from stream.cli.tail import chosen
from stream.messages.base import encode
from stream.messages.events import entity_event
from stream.messages.posts import Post


def event(text: str, type_: str, canonical: str) -> bytes:
    mention = Mention(0, len(text), text, type_, 0.9, {})
    return encode(entity_event(Post(id="p", text=text), mention, canonical, 1, "trimod", "v"))


LEAFS = event("Toronto Maple Leafs", "ORG", "toronto maple leafs")
HASHTAG = event("#CafeÉte", "LOC", "cafe éte")


@pytest.mark.parametrize(
    ("value", "types", "text", "expected"),
    [
        (LEAFS, [], "", True),
        (LEAFS, ["ORG"], "", True),
        (LEAFS, ["org", "PER"], "", True),
        (LEAFS, ["PER"], "", False),
        (LEAFS, ["OR"], "", False),
        (LEAFS, [], "MAPLE l", True),
        (LEAFS, [], "leaf", True),
        (LEAFS, [], "leaves", False),
        (LEAFS, ["PER"], "leaf", False),
        (HASHTAG, [], "#cafe", True),
        (HASHTAG, [], "cafe e", False),
        (HASHTAG, ["LOC"], "cafe E\u0301te", True),
        (b"garbage", [], "", True),
        (b"garbage", ["ORG"], "", False),
        (b"", [], "a", False),
    ],
)
def test_events_of_a_type_and_with_a_text(value: bytes, types: list[str], text: str, expected: bool) -> None:
    assert expected == chosen(value, types, text)
