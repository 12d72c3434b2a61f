"""ImageNet classifiers by name: random weights show shapes and interfaces, never what is in a picture."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.models import get_model
from torchvision.models.feature_extraction import create_feature_extractor

from models.backbones import NAMES, TORCHVISION, TorchvisionBackbone, backbone, feature_size
from models.errors import PretrainedError
from models.images import Picture
from models.vision import ImageEncoder


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


@pytest.mark.parametrize("name", TORCHVISION)
def test_each_network_has_the_layers_that_are_read(name):
    """On the meta device: shapes without the 140 million weights of a VGG-16."""
    layout = TORCHVISION[name]
    with torch.device("meta"):
        nodes = {layout.grid: "grid", layout.classifier: "logits"}
        network = create_feature_extractor(untrained(name).eval(), nodes, suppress_diff_warning=True)
        outputs = network(torch.zeros(1, 3, layout.side, layout.side))
    assert (1, layout.size) == outputs["grid"].shape[:2]
    assert (1, 1000) == outputs["logits"].shape


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
    with pytest.raises(PretrainedError, match="unknown image classifier 'alexnet'"):
        backbone("alexnet")
    assert ("efficientnet_lite0", *TORCHVISION) == NAMES
