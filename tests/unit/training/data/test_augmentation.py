"""Hashtag spellings and noise: what training sees of a post."""

import random
from collections.abc import Callable
from dataclasses import replace

import torch

from models.core.visual_context import Pixels
from training.data.augmentation import Augmenter, Noise, respell_hashtags
from training.data.datasets import Sample
from training.runs.presets import QUIET


def respelled(sample: Sample, chosen: Callable[[], bool]) -> tuple[list[str], list[str]]:
    changed = respell_hashtags(sample, chosen)
    return changed.tokens, changed.tags


def test_a_teachers_marginals_move_with_their_tokens() -> None:
    targets = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    one = Sample(["in", "#Riga", "now"], ["O", "B-LOC", "O"], [], targets=targets)
    two = respell_hashtags(one, lambda: True)
    assert two.targets is not None
    assert torch.equal(
        torch.stack([targets[0], torch.tensor([1.0, 0.0]), targets[1], targets[2]]), two.targets
    )
    back = respell_hashtags(two, lambda: True)
    assert back.targets is not None
    assert torch.equal(targets, back.targets)


def test_a_hashtag_is_respelt_with_its_mark_inside_or_outside_of_the_entity() -> None:
    one = Sample(["in", "#Riga", "now"], ["O", "B-LOC", "O"], [])
    two = Sample(["in", "#", "Riga", "now"], ["O", "O", "B-LOC", "O"], [])
    assert (two.tokens, two.tags) == respelled(one, lambda: True)
    assert (one.tokens, one.tags) == respelled(two, lambda: True)
    assert (one.tokens, one.tags) == respelled(one, lambda: False)


def test_a_hashtag_inside_an_entity_is_not_torn() -> None:
    """`#` would be O in the middle of it."""
    inside = Sample(["the", "#Bronx"], ["B-LOC", "I-LOC"], [])
    assert (inside.tokens, inside.tags) == respelled(inside, lambda: True)


def test_noise_takes_and_swaps_image_words_as_often_as_it_says() -> None:
    noise = Noise(no_image=0.3, other_image=0.1, class_words=0.0, unreadable=0.0)
    disturb, stream = Augmenter(noise, [Sample([], [], ["other"])], []), random.Random(3)
    drawn = [disturb(Sample(["a"], ["O"], ["own"]), stream).image_words for _ in range(4000)]
    assert 0.27 < drawn.count([]) / 4000 < 0.33
    assert 0.08 < drawn.count(["other"]) / 4000 < 0.12


def test_pixels_go_and_come_with_their_images_words() -> None:
    """A post whose words are another's and whose pixels are its own would teach that the image is right."""
    own, other = (Pixels(torch.full((3,), value)) for value in (1.0, 2.0))
    sample, stranger = Sample(["a"], ["O"], ["own"], pixels=own), Sample([], [], ["other"], pixels=other)
    taken = Augmenter(replace(QUIET, no_image=1), [stranger], [])(sample, random.Random(3))
    assert ([], None) == (taken.image_words, taken.pixels)
    swapped = Augmenter(replace(QUIET, other_image=1), [stranger], [])(sample, random.Random(3))
    assert (["other"], other, True) == (swapped.image_words, swapped.pixels, swapped.other_image)
    left = Augmenter(QUIET, [stranger], [])(sample, random.Random(3))
    assert (["own"], own, False) == (left.image_words, left.pixels, left.other_image)


def test_class_words_come_beside_the_caption() -> None:
    disturb = Augmenter(Noise(no_image=0, other_image=0, class_words=1), [], ["tabby cat"])
    disturb.class_names = ["tabby cat"] * 9
    words = disturb(Sample(["a"], ["O"], ["own"]), random.Random(3)).image_words
    assert words[:3] == ["own", "tabby", "cat"]
