"""The one way from pictures to what is seen in them: what is remembered between posts, and what is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.core.errors import PretrainedError
from models.core.inputs import Inputs
from models.core.visual_context import NOTHING_SEEN
from models.vision import image_reader as look
from models.vision.captioner import Captioner, CaptionerConfig
from models.vision.decoding import Picture
from models.vision.detectors import Objects
from models.vision.efficientnet import ImageEncoder
from models.vision.image_reader import ImageReader


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


def test_a_model_that_reads_classes_gets_a_word_for_each_of_the_first_pictures_five():
    """CWI always has five, however unlikely, and nothing that people wrote; noise is like no class."""
    captioner = Captioner(CaptionerConfig(("a", "hat")))
    reader = ImageReader(Inputs(image_words="classes"), torch.device("cpu"), 2, captioner)
    pictures = [replace(noise(1), alt="a hat"), noise(2)]
    [seen] = reader.read([pictures])
    names = ImageEncoder().encode(pictures)[0].classes
    assert reader._captioner is None  # whose words would not be read
    assert 5 == len(seen.words)
    assert tuple(name.lower().split()[-1] for name in names) == seen.words


class NothingInTheFirst:
    """A detector that finds objects in all pictures but the first, as torchvision's may."""

    def __init__(self):
        self.asked = 0

    def detect(self, pixels):
        self.asked += 1
        found = 0 if self.asked == 1 else 3
        return Objects(torch.zeros(8), torch.ones(found, 8), torch.ones(found, 4), ("dog",) * found)


def test_objects_are_the_first_pictures_even_if_it_has_none(monkeypatch):
    """Else another picture's objects came without boxes, and a post depended on its neighbours' padding."""
    monkeypatch.setattr(look, "object_detector", lambda *_: NothingInTheFirst())
    reader = ImageReader(Inputs(regions="objects"), torch.device("cpu"), cache=2)
    [seen] = reader.read([[noise(1), noise(2)]])
    assert (0, 0, ()) == (len(seen.pixels.regions), len(seen.pixels.boxes), seen.pixels.words)


def test_networks_are_read_at_the_first_picture_if_asked(monkeypatch):
    """Who has only text does not wait for them; a worker does, so that missing weights stop its start."""

    def missing(*_, **__):
        raise PretrainedError("the image CNN's weights are not installed")

    monkeypatch.setattr(look, "ImageEncoder", missing)
    reader = ImageReader(Inputs(), torch.device("cpu"), cache=2, lazily=True)
    assert [NOTHING_SEEN] == reader.read([[]])
    with pytest.raises(PretrainedError, match="weights are not installed"):
        reader.read([[noise(1)]])
    with pytest.raises(PretrainedError, match="weights are not installed"):
        ImageReader(Inputs(), torch.device("cpu"), cache=2)
