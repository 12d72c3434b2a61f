"""The one way from pictures to what is seen in them: what is remembered between posts, and what is not."""

import numpy as np
import torch

from models.images import Picture
from models.inputs import Inputs
from models.look import ImageReader
from models.seen import NOTHING_SEEN


def noise(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    return Picture(pixels, str(seed))


def test_each_picture_is_looked_at_once_and_the_longest_unused_is_forgotten(monkeypatch):
    reader = ImageReader(Inputs(), torch.device("cpu"), cache=2)
    looked = []
    look = reader._look
    monkeypatch.setattr(reader, "_look", lambda new: looked.extend(p.key for p in new) or look(new))
    a, b, c = map(noise, range(3))
    reader.read([[a, b], [], [a]])
    assert ["0", "1"] == looked
    reader.read([[a]])  # now b is the longest unused
    reader.read([[c], [a]])
    assert ["0", "1", "2"] == looked
    reader.read([[b]])
    assert ["0", "1", "2", "1"] == looked
    assert 2 == reader.remembered


def test_a_post_without_pictures_shows_nothing_and_gets_nothing_of_its_neighbours():
    reader = ImageReader(Inputs(), torch.device("cpu"), cache=2)
    assert NOTHING_SEEN is reader.read([[noise(1)], []])[1]
