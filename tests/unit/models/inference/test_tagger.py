"""The tagger: offsets into the post's own text, tags that do not depend on the batch, windows over long posts."""

import base64
import io
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from models.architectures.registry import create
from models.architectures.trimod import TriMod
from models.core.batch import collate
from models.core.errors import BadPost, CheckpointError
from models.core.labels import Span
from models.core.post import Mention, Post
from models.core.visual_context import Pixels, VisualContext
from models.inference.device import choose_device
from models.inference.tagger import Prepared, Tagger
from models.text.post_encoder import PostEncoder
from models.vision.decoding import Picture
from tests.support.tiny_checkpoint import CHARACTERS, tiny_checkpoint, tiny_model
from tests.support.tiny_checkpoint import WORDS as WORDS_TABLE

WORDS = [
    "Toronto",
    "Maple",
    "Leafs",
    "won",
    "#hockeyPlayer",
    "in",
    "@someone",
    "the",
    "👨‍👩‍👧",
    "e\u0301te\u0301",
    "𝔘nicode",
    "!",
    "ß",
]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    return Tagger.load(tiny_checkpoint(tmp_path_factory.mktemp("tiny")), "cpu")


def some_posts(count: int) -> list[Post]:
    chosen = random.Random(4)
    return [Post(" ".join(chosen.choices(WORDS, k=chosen.randint(1, 40)))) for _ in range(count)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12).map(" ".join))
def test_every_mention_is_the_text_between_its_offsets(tagger: Tagger, text: str) -> None:
    mentions = tagger.tag([text])[0]
    for mention in mentions:
        assert mention.text == text[mention.start : mention.end] != ""
        assert 0 <= mention.confidence <= 1
        assert sum(mention.weights.values()) == pytest.approx(1, abs=1e-4)
    starts = [(m.start, m.end) for m in mentions]
    assert starts == sorted(starts)


def spans_of(mentions: list[Mention]) -> list[tuple[int, int, str]]:
    return [(m.start, m.end, m.type) for m in mentions]


def test_every_mention_has_the_least_confidence(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    confidences = [m.confidence for found in tagger.tag(some_posts(200)) for m in found]
    least = 0.6
    monkeypatch.setattr(tagger.model, "least_confidence", least)
    kept = [m.confidence for found in tagger.tag(some_posts(200)) for m in found]

    assert min(confidences) < least < min(kept)
    # What the likeliest sequence has and is likely enough stays.
    assert len(kept) >= sum(confidence > least for confidence in confidences) > 0


@pytest.mark.parametrize("least", [-1.0, 1.0])
def test_a_least_confidence_that_is_no_probability_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match="least_confidence"):
        create("trimod", {"labels": ["O", "B-PER", "I-PER"], "least_confidence": least}, 3, 3)


def test_500_posts_alone_and_in_shuffled_batches_are_tagged_alike(tagger: Tagger) -> None:
    posts = some_posts(500)
    alone = [tagger.tag([post])[0] for post in posts]
    order = random.Random(2).sample(range(len(posts)), len(posts))
    together: dict[int, list[Mention]] = {}
    for start in range(0, len(order), 48):
        part = order[start : start + 48]
        together |= dict(zip(part, tagger.tag([posts[i] for i in part]), strict=True))
    assert sum(map(len, alone)) > 500
    for index, expected in enumerate(alone):
        assert spans_of(expected) == spans_of(together[index])
        for a, b in zip(expected, together[index], strict=True):
            assert a.confidence == pytest.approx(b.confidence, abs=1e-4)


def test_a_post_without_tokens_has_no_mentions_beside_one_that_has(tagger: Tagger) -> None:
    text = "Toronto Maple Leafs"
    assert [[], tagger.tag([text])[0], []] == tagger.tag(["", text, " \n"])


def test_a_long_post_is_tagged_to_its_end_with_no_mention_twice(tagger: Tagger) -> None:
    text = " ".join(random.Random(9).choices(WORDS, k=6000))
    parts = list[None]()
    tagger.on_part = lambda: parts.append(None)
    mentions = tagger.tag([text])[0]
    tagger.on_part = lambda: None
    assert len(parts) > 1  # whoever watches sees it go on
    assert max(m.end for m in mentions) > len(text) * 0.98
    for before, after in pairwise(mentions):
        assert before.end <= after.start


def test_image_words_and_hashtags_weigh_only_where_they_are(tagger: Tagger) -> None:
    bare = tagger.tag(["Toronto Maple Leafs"])[0]
    assert all(m.weights["text"] == 1.0 for m in bare)
    prepared = tagger.prepare(Post("Toronto Maple Leafs", hashtags=("hockey",)), ())
    [seen] = tagger.tag_seen([prepared], [VisualContext(("hockey", "player"))])
    assert all(m.weights["image"] > 0 and m.weights["hashtags"] > 0 for m in seen)


@pytest.mark.parametrize(("words", "least"), [(60, 1.0), (600, 0.9)])
def test_every_token_has_its_weights_and_a_mention_their_mean(
    tagger: Tagger, words: int, least: float
) -> None:
    """HSN's gate is one of each token. Where windows of a long post meet, a mention's are of its own window."""
    text = " ".join(random.Random(9).choices(WORDS, k=words))
    post, [mentions] = tagger.prepare(Post(text), ()), tagger.tag([text])
    [weighed, none] = tagger.weigh([post, tagger.prepare(Post(""), ())])
    assert (len(post.found), []) == (len(weighed), none)
    alike = list[bool]()
    for mention in mentions:
        inside = [
            each["text"]
            for token, each in zip(post.found, weighed, strict=True)
            if mention.start <= token.start < mention.end
        ]
        alike.append(pytest.approx(sum(inside) / len(inside), abs=1e-4) == mention.weights["text"])
    assert sum(alike) >= least * len(alike) > 0


def test_pictures_go_through_the_cnn_and_alt_text_is_read(tagger: Tagger) -> None:
    picture = Picture(np.zeros((224, 224, 3), dtype=np.uint8), "black", "Maple Leafs")
    [seen] = tagger.look([tagger.prepare(Post("won"), [picture])])
    assert ("Maple", "Leafs") == seen.words[:2]
    assert seen.pixels is not None
    assert (1280,) == tuple(seen.pixels.pooled.shape)


def test_what_is_seen_while_tokens_are_weighed_may_be_trained_on(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is remembered; tensors of inference mode would break whoever trains on them later."""
    modes, look = list[bool](), tagger.look

    def watched(batch: Sequence[Prepared]) -> list[VisualContext]:
        modes.append(torch.is_inference_mode_enabled())
        return look(batch)

    monkeypatch.setattr(tagger, "look", watched)
    tagger.weigh([tagger.prepare(Post("won"), ())])
    assert [False] == modes


def test_a_hashtag_and_its_words_are_one_canonical_form(tagger: Tagger) -> None:
    assert (
        tagger.canonical("Big Data")
        == tagger.canonical("#big_data")
        == tagger.canonical("＃Big_Data")
        == "bigdata"
    )


def test_a_mention_has_its_canonical_form(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(Span(0, 3, "ORG"), 0.9, [1.0] * len(tagger.model.modalities))]
    monkeypatch.setattr(tagger, "_tag_encoded", lambda *_: [found])
    ((mention,),) = tagger.tag(["Coca \u2013 Cola again"])
    assert ("Coca \u2013 Cola", "cocacola") == (mention.text, mention.canonical)


def test_pixels_join_the_image_view_in_bfloat16_too() -> None:
    """`use_pixels` is for models trained on pixels; under autocast its two parts differ in type."""
    model = tiny_model()
    config = replace(model.config, use_pixels=True)
    with_pixels = TriMod(config, WORDS_TABLE.size, CHARACTERS.size).eval()
    encoder = PostEncoder(WORDS_TABLE, CHARACTERS, config.inputs)
    ids = encoder.token_ids(["Maple", "Leafs"])
    batch = collate([encoder.encode(ids, pixels=Pixels(torch.ones(1280))), encoder.encode(ids)])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        _, weights = with_pixels(batch)
    assert (weights[1, 0] > 0).all()
    assert (weights[1, 1] == 0).all()


def test_a_post_of_hashtags_costs_no_more_than_its_text(tagger: Tagger) -> None:
    """16,000 different hashtags took 7 seconds and 400 MB when every window read all of them."""
    prepared = tagger.prepare(Post(" ".join(f"#tag{number}" for number in range(3000))), ())
    assert len(prepared.hashtag_words) <= 32 * 3
    listed = tagger.prepare(Post("x", hashtags=tuple(f"#t{number}" for number in range(100_000))), ())
    assert 32 == len(listed.hashtag_words)


def test_one_text_instead_of_a_list_is_refused(tagger: Tagger) -> None:
    with pytest.raises(TypeError, match="list of posts"):
        tagger.tag("Toronto")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:1", "meta"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    with pytest.raises(CheckpointError, match=device):
        choose_device(device)


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    return out.getvalue()


PNG = base64.b64encode(png()).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "1", "text": "Toronto Maple Leafs won"},
        {"text": "Toronto Maple Leafs won", "author": 7, "lang": ["en"], "created_at": "yesterday"},
        {
            "text": "Toronto Maple Leafs won",
            "images": [{"path": "a.jpg"}, {"url": "https://x.y/a.jpg"}, {"data": "?"}],
        },
    ],
)
def test_objects_like_the_json_posts_are_tagged(tagger: Tagger, fields: dict[str, object]) -> None:
    assert tagger.tag(["Toronto Maple Leafs won"]) == tagger.tag([fields])


def test_hashtags_and_images_of_such_objects_are_used(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Post, list[str]]] = []
    prepare = tagger.prepare
    monkeypatch.setattr(
        tagger,
        "prepare",
        lambda post, pictures: (
            seen.append((post, [picture.alt for picture in pictures])),
            prepare(post, pictures),
        )[1],
    )
    images = [{"data": f"data:image/png;base64,{PNG}", "alt": "a rink"}, "a.jpg", {"data": "AAAA"}]
    tagger.tag([{"text": "won", "hashtags": [{"text": "NBA"}], "images": images}])
    [(post, alts)] = seen
    assert (("NBA",), ["a rink"]) == (post.hashtags, alts)


@pytest.mark.parametrize("fields", [{}, {"id": "1"}, {"text": 7}, {"text": None}])
def test_an_object_without_a_text_is_an_error(tagger: Tagger, fields: dict[str, object]) -> None:
    with pytest.raises(BadPost, match="field 'text'"):
        tagger.tag([fields])
