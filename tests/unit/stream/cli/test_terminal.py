"""Texts on a terminal."""

import pytest

from stream.cli.terminal import plural


@pytest.mark.parametrize(("number", "text"), [(0, "0 posts"), (1, "1 post"), (2, "2 posts")])
def test_one_thing_is_not_many(number: int, text: str) -> None:
    assert text == plural(number, "post")
