"""ImageNet classifiers by name: random weights show shapes and interfaces, never what is in a picture."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from models.core.errors import PretrainedError
from models.vision.backbones import TorchvisionBackbone, backbone, feature_size
from models.vision.decoding import Picture
from models.vision.efficientnet import ImageEncoder


def noise(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    return Picture(pixels, str(seed))


def untrained(name):
    torch.manual_seed(0)
    return get_model(name, weights=None, **({"init_weights": False} if name == "inception_v3" else {}))


@pytest.mark.parametrize(("name", "cells"), [("resnet50", 49), ("inception_v3", 64)])
def test_torchvisions_classifiers_give_what_the_default_gives(name, cells):
    pictures = [noise(1), noise(2)]
    network = untrained(name)
    with torch.no_grad():
        network.fc.bias[985] = 1e6
    seen = TorchvisionBackbone(name, network)
    together = seen.encode(pictures)
    for picture, features in zip(pictures, together, strict=True):
        assert (cells, feature_size(name)) == features.regions.shape
        torch.testing.assert_close(features.regions.mean(dim=0), features.pooled)
        assert ("daisy",) == features.words
        alone = seen.encode([picture])[0].pooled
        torch.testing.assert_close(alone, features.pooled, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("inception_v3", 2048), ("resnet50", 2048), ("resnet152", 2048), ("vgg16", 512), ("alexnet", 256),
        ("efficientnet_b3", 1536), ("swin_t", 768), ("regnet_x_400mf", 400),
    ],
)  # fmt: skip
def test_any_classifiers_features_are_found_without_its_weights(name, size):
    """The papers' and others, which nobody laid out by hand."""
    assert size == feature_size(name)


@pytest.mark.parametrize(("name", "cells"), [("alexnet", 36), ("swin_t", 49)])
def test_pictures_are_seen_as_each_network_was_trained(name, cells):
    """A grid of another shape, and one that a transformer lays out at its end."""
    [features] = TorchvisionBackbone(name, untrained(name)).encode([noise(1)])
    assert (cells, feature_size(name)) == features.regions.shape
    assert 5 == len(features.classes)


def test_the_default_is_offline():
    assert isinstance(backbone(), ImageEncoder)
    features = backbone().encode([noise(1)])[0]
    assert (49, feature_size("efficientnet_lite0")) == features.regions.shape


def test_weights_that_cannot_be_downloaded(monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    with pytest.raises(PretrainedError, match=r"weights of resnet50 .* cannot be downloaded: .*no route"):
        backbone("resnet50")


def test_unknown_names_are_named():
    for name in ("alexnett", "vit_b_16"):  # a transformer's patches are no map of features
        with pytest.raises(
            PretrainedError, match=f"unknown image classifier '{name}': use efficientnet_lite0 or"
        ):
            backbone(name)
