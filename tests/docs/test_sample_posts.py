"""The sample posts are what people see first: they must show what they are there to show, and stay so."""

import collections
import unicodedata

import orjson
import pytest

from models.core.errors import BrokenImage
from models.posts.post_json import MAX_IMAGES
from models.vision.decoding import decode_image
from stream.demo.run import SAMPLES
from stream.errors import BadPost
from stream.messages.posts import decode_post
from stream.sources.jsonl import prepare, read_lines

BAD = {
    "bad-no-text": "field 'text' is missing",
    "bad-text-type": "field 'text': Input should be a valid string",
}


@pytest.fixture(scope="module")
def lines():
    """The records that `trimod ingest` makes of the samples."""
    with (SAMPLES / "posts.jsonl").open("rb") as stream:
        return [prepare(line, SAMPLES, False) for line in read_lines(stream)]


@pytest.fixture(scope="module")
def posts(lines):
    found = []
    for line in lines:
        try:
            found.append(decode_post(line.value))
        except BadPost:
            continue
    return found


def test_there_are_enough_and_only_the_bad_ones_are_bad(lines, posts):
    assert len(posts) >= 60
    assert len(BAD) + 1 == len(lines) - len(posts)


def test_bad_posts_are_bad_for_the_reason_they_are_there_for(lines):
    reasons = {}
    for line in lines:
        try:
            decode_post(line.value)
        except BadPost as error:
            reasons[(line.key or b"").decode()] = str(error)
    assert reasons.pop("").startswith("not valid JSON")
    assert reasons == BAD


def test_a_time_that_cannot_be_read_costs_the_time_and_not_the_post(posts):
    skipped = {post.id: post.notes for post in posts if post.notes}
    assert {"bad-time": (("created_at", "skipped"),)} == skipped


def test_one_post_comes_twice_and_no_other(posts):
    repeated = [
        post_id for post_id, times in collections.Counter(post.id for post in posts).items() if times > 1
    ]
    assert ["twice"] == repeated


def test_every_picture_is_there_but_the_one_that_is_missed(lines, posts):
    assert sum(line.missing_images for line in lines) == 1
    named = {image.path for post in posts for image in post.images if image.path}
    drawn = {f"images/{file.name}" for file in (SAMPLES / "images").iterdir()}
    assert drawn | {"images/gone.jpg"} == named


def test_every_picture_can_be_decoded_but_the_broken_one_and_all_are_small():
    for file in (SAMPLES / "images").iterdir():
        data = file.read_bytes()
        assert len(data) < 15_000, file.name
        if file.stem == "broken":
            with pytest.raises(BrokenImage, match="truncated"):
                decode_image(data)
        else:
            assert decode_image(data).pixels.std() > 5, f"{file.name} shows nothing"


def test_images_come_in_every_way(posts):
    ways = {way for post in posts for image in post.images for way in ("path", "data") if getattr(image, way)}
    assert ways == {"path", "data"}
    assert any(image.alt for post in posts for image in post.images)
    assert any(not image.alt for post in posts for image in post.images)
    assert MAX_IMAGES == max(len(post.images) for post in posts)


def test_texts_show_what_is_hard_about_texts(posts):
    texts = [post.text for post in posts]
    together = "".join(texts)
    assert "" in texts
    assert max(map(len, texts)) > 2500
    assert "\N{ZERO WIDTH JOINER}" in together
    assert any(character > "\uffff" for character in together)
    assert any(unicodedata.combining(character) for character in together)
    scripts = {unicodedata.name(character, "").split()[0] for character in together if character.isalpha()}
    assert scripts >= {"LATIN", "ARABIC", "CYRILLIC", "DEVANAGARI", "HIRAGANA", "HANGUL"}
    for mark in ("#", "@", "RT @", "http://", "&amp;"):
        assert mark in together


def test_fields_come_in_every_form():
    given = []
    for line in (SAMPLES / "posts.jsonl").read_bytes().splitlines():
        try:
            given.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    assert {str, int, type(None)} == {type(post.get("created_at")) for post in given}
    assert {str, int} == {type(post["id"]) for post in given}
    for field in ("author", "lang", "source", "hashtags", "image"):
        assert any(field in post for post in given), field
        assert field == "source" or any(field not in post for post in given), field
