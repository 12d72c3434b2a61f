"""The load must be what it says: the same for a seed, varied, with repeats and bad posts, and pictures that differ."""

import base64
from collections import Counter

import orjson
import pytest

from models.vision.decoding import decode_image
from stream.errors import BadPost
from stream.messages.posts import decode_post
from tests.load.traffic.images import picture
from tests.load.traffic.posts import Posts


def test_the_same_seed_gives_the_same_posts() -> None:
    one, two = Posts(1, 80), Posts(1, 80)
    assert [one.next(n) for n in range(200)] == [two.next(n) for n in range(200)]


def test_posts_are_posts_but_for_the_bad_ones_and_some_come_twice() -> None:
    posts = Posts(1, 80)
    ids: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    bad = 0
    for number in range(4000):
        key, value = posts.next(1_790_000_000_000 + number)
        try:
            post = decode_post(value)
        except BadPost:
            bad += 1
            continue
        ids[key] += 1
        kinds.update("url" if image.url else "data" for image in post.images)
    assert (posts.bad, True) == (bad, bad > 0)
    assert 20 < sum(1 for count in ids.values() if count > 1) < 200
    assert min(kinds["url"], kinds["data"]) > 300


def test_pictures_decode_and_differ() -> None:
    keys = {decode_image(picture(number)).key for number in range(60)}
    assert 60 == len(keys)


def test_data_in_a_post_is_a_picture() -> None:
    posts = Posts(1, 80)
    values = [orjson.loads(value) for key, value in (posts.next(n) for n in range(300)) if "bad" not in key]
    found = [each["images"][0]["data"] for each in values if "data" in each.get("images", [{}])[0]]
    assert decode_image(base64.b64decode(found[0])).pixels.shape == (224, 224, 3)


@pytest.mark.parametrize("seed", range(3))
def test_words_run_out(seed: int) -> None:
    """Else caches by word would grow for ever, and look like a leak."""
    posts = Posts(seed, 80)
    seen: set[str] = set()
    new = []
    for round_ in range(2):
        before = len(seen)
        for number in range(6000):
            key, value = posts.next(number)
            if "bad" not in key:
                seen |= set(orjson.loads(value)["text"].split())
        new.append(len(seen) - before)
        assert round_ or before == 0
    assert new[1] < new[0] / 3
