"""Hashtag spellings and noise: what training sees of a post."""

from training.data import Disturber, Noise, Sample, respell_hashtags


def test_a_hashtag_is_respelt_with_its_mark_inside_or_outside_of_the_entity() -> None:
    one = Sample(["in", "#Riga", "now"], ["O", "B-LOC", "O"], [])
    two = Sample(["in", "#", "Riga", "now"], ["O", "O", "B-LOC", "O"], [])
    assert (two.tokens, two.tags) == respell_hashtags(one, lambda: True)
    assert (one.tokens, one.tags) == respell_hashtags(two, lambda: True)
    assert (one.tokens, one.tags) == respell_hashtags(one, lambda: False)


def test_a_hashtag_inside_an_entity_is_not_torn() -> None:
    """`#` would be O in the middle of it."""
    inside = Sample(["the", "#Bronx"], ["B-LOC", "I-LOC"], [])
    assert (inside.tokens, inside.tags) == respell_hashtags(inside, lambda: True)


def test_noise_takes_and_swaps_image_words_as_often_as_it_says() -> None:
    noise = Noise(no_image=0.3, other_image=0.1, class_words=0.0, unreadable=0.0)
    disturb = Disturber(noise, [["other"]], [], seed=3)
    drawn = [disturb(Sample(["a"], ["O"], ["own"])).image_words for _ in range(4000)]
    assert 0.27 < drawn.count([]) / 4000 < 0.33
    assert 0.08 < drawn.count(["other"]) / 4000 < 0.12


def test_class_words_come_beside_the_caption() -> None:
    disturb = Disturber(Noise(no_image=0, other_image=0, class_words=1), [], ["tabby cat"], seed=3)
    disturb.class_names = ["tabby cat"] * 9
    words = disturb(Sample(["a"], ["O"], ["own"])).image_words
    assert words[:3] == ["own", "tabby", "cat"]
