"""The controls do what their names say, to everybody and to nobody else."""

import pytest

from models.text.tokenizer import hashtags_in
from training.data import controls
from training.data.datasets import Sample
from training.errors import DataError

SAMPLES = [
    Sample(["a", "#Riga"], ["O", "B-LOC"], ["one"]),
    Sample(["b"], ["O"], []),
    Sample(["c", "#", "NBA"], ["O", "O", "B-ORG"], ["three", "words"]),
    Sample(["d"], ["O"], ["four"]),
]


@pytest.mark.parametrize("seed", range(20))
def test_every_image_goes_to_another_post_once(seed: int) -> None:
    """A post that kept its own image would make the control look better than it is."""
    changed = controls.with_others_images(SAMPLES, seed)
    assert sorted(s.image_words for s in SAMPLES) == sorted(s.image_words for s in changed)
    for index in (0, 2, 3):
        assert SAMPLES[index].image_words != changed[index].image_words
    assert [] == changed[1].image_words
    assert [s.tokens for s in SAMPLES] == [s.tokens for s in changed]


def test_where_no_post_has_an_image_there_is_nothing_to_control() -> None:
    """Three equal rows would say that the control holds."""
    bare = controls.without_images(SAMPLES)
    for control in (controls.with_images, lambda samples: controls.with_others_images(samples, 1)):
        with pytest.raises(DataError, match="no post has image input"):
            control(bare)


def test_a_share_holds_the_smaller_ones() -> None:
    changed = controls.without_hashtags(SAMPLES)
    chosen = [
        {i for i, s in enumerate(controls.in_share(SAMPLES, changed, share, 3)) if not s.hashtags}
        for share in (0.0, 0.25, 0.5, 1.0)
    ]
    assert [0, 1, 2, 4] == [len(each) for each in chosen]
    assert chosen[0] < chosen[1] < chosen[2] < chosen[3]


def test_all_hashtags_become_letters_in_both_spellings_and_nothing_else_does() -> None:
    changed = controls.with_random_hashtags(SAMPLES, 1.0, 1)
    for before, after in zip(SAMPLES, changed, strict=True):
        assert before.tags == after.tags
        assert [len(token) for token in before.tokens] == [len(token) for token in after.tokens]
        assert before.tokens[0] == after.tokens[0]
        for old, new in zip(hashtags_in(before.tokens), hashtags_in(after.tokens), strict=True):
            assert old != new
    assert SAMPLES == controls.with_random_hashtags(SAMPLES, 0.0, 1)


def test_a_fifth_of_many_hashtags_is_about_a_fifth() -> None:
    many = [Sample(["#Riga"], ["O"], []) for _ in range(1000)]
    changed = controls.with_random_hashtags(many, 0.2, 1)
    assert 150 < sum(sample.tokens != ["#Riga"] for sample in changed) < 250


def test_what_is_taken_away_is_gone_and_the_rest_stays() -> None:
    bare = controls.without_images(SAMPLES)
    assert not any(sample.image_words for sample in bare)
    assert all(sample.hashtags for sample in bare)
    assert not any(sample.hashtags for sample in controls.without_hashtags(SAMPLES))


def test_sets_are_scored_with_their_images_and_without_and_once_where_there_are_none() -> None:
    """`text only` that still had the images would make an image look worthless."""
    found = controls.with_text_only("set", SAMPLES)
    assert {"set": SAMPLES, "set text only": controls.without_images(SAMPLES)} == found
    assert {"set": [SAMPLES[1]]} == controls.with_text_only("set", [SAMPLES[1]])
