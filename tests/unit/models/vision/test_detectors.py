"""Objects of images: class activation regions on photographs, torchvision's detectors with random weights."""

from importlib.resources import files
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.models.detection import fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn

from models.core.errors import PretrainedError
from models.vision.decoding import decode_image
from models.vision.detectors import (
    ClassActivationRegions,
    TorchvisionDetector,
    box_of_cells,
    object_detector,
    peak_region,
)
from models.vision.efficientnet import ImageEncoder


def photograph(name):
    return decode_image((files("sklearn.datasets.images") / name).read_bytes())


def test_class_activation_finds_the_flower():
    """The flower stands in the middle, and takes less than half of the picture."""
    picture = photograph("flower.jpg")
    found = object_detector().detect(picture.pixels)
    assert "daisy" == found.words[0]
    assert (5, 1280) == found.features.shape
    assert (5, 4) == found.boxes.shape
    x, y, height, width = found.boxes[0].tolist()
    assert abs(x - 0.5) < 0.2
    assert abs(y - 0.5) < 0.2
    assert 0.1 < height * width < 0.5
    expected = ImageEncoder().encode([picture])[0].pooled
    torch.testing.assert_close(expected, found.pooled, atol=1e-3, rtol=1e-3)


def test_class_activation_regions_lie_in_the_image():
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    boxes = ClassActivationRegions().detect(pixels).boxes
    assert (boxes[:, :2] - boxes[:, 2:].flip(1) / 2 >= -1e-6).all()
    assert (boxes[:, :2] + boxes[:, 2:].flip(1) / 2 <= 1 + 1e-6).all()


def test_a_region_hangs_together_with_the_peak():
    activation = torch.tensor([[9.0, 0, 6, 0], [5, 0, 6, 0], [4, 0, 0, 0], [0, 5, 0, 0]])
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[0, 0] = expected[1, 0] = True
    assert expected.equal(peak_region(activation))


def test_the_box_of_cells():
    region = torch.zeros(4, 8, dtype=torch.bool)
    region[1, 2] = region[2, 4] = True
    assert [3.5 / 8, 2 / 4, 2 / 4, 3 / 8] == box_of_cells(region)


@pytest.mark.parametrize("make", [fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn])
def test_detectors_give_scored_boxes_with_features(make):
    torch.manual_seed(0)
    settings = {"min_size": 64, "max_size": 96, "box_score_thresh": 0.0, "rpn_post_nms_top_n_test": 20}
    network = make(weights=None, weights_backbone=None, num_classes=3, **settings)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    found = TorchvisionDetector(network, ["__background__", "Cat", "Dog"]).detect(pixels)
    count = len(found.words)
    assert 0 < count <= 15
    assert {"cat", "dog"} >= set(found.words)
    assert ((1024,), (count, 1024), (count, 4)) == (
        found.pooled.shape,
        found.features.shape,
        found.boxes.shape,
    )
    # torchvision's own way gives the same boxes, in pixels, best first.
    with torch.no_grad():
        plain = network([torch.from_numpy(pixels).permute(2, 0, 1) / 255])[0]["boxes"][:15]
    x, y, height, width = found.boxes.unbind(1)
    boxes = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=1)
    torch.testing.assert_close(plain, boxes * torch.tensor([96.0, 64, 96, 64]), atol=1e-2, rtol=1e-3)


def test_an_image_without_objects():
    network = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=2, min_size=64)
    network.roi_heads.score_thresh = 1.0
    found = TorchvisionDetector(network, ["", "cat"]).detect(np.zeros((64, 64, 3), np.uint8))
    assert ((), (0, 1024), (0, 4)) == (found.words, found.features.shape, found.boxes.shape)


def test_weights_that_cannot_be_downloaded(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", _no_network)
    with pytest.raises(PretrainedError, match=r"weights of fasterrcnn_resnet50_fpn .* cannot be downloaded"):
        object_detector("fasterrcnn_resnet50_fpn")


def _no_network(*args, **kwargs):
    raise URLError("no route to host")


def test_unknown_detectors_are_named():
    with pytest.raises(
        PretrainedError, match="unknown object detector 'yolo'; known detectors: class_activation"
    ):
        object_detector("yolo")
