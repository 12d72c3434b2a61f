"""ImageNet classifiers by name, each with ImageEncoder's interface: pooled features, the grid of cells, class words.

`efficientnet_lite0` comes with its weights in a package and is the default (models/vision.py); the papers' others are
torchvision's, whose weights are downloaded at the first use where the network allows it: CWI's InceptionV3,
HamLearning's ResNet-152, HSN's VGG-16. All of them read the same 224 x 224 pixels (models/images.py);
InceptionV3 has them enlarged to its 299. Remembering features is not done here: compute them once and store them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.feature_extraction import create_feature_extractor

from models.errors import PretrainedError, one_line
from models.images import SIDE, Picture
from models.vision import (
    CPU_BATCH,
    FEATURES,
    TOP_CLASSES,
    ImageEncoder,
    ImageFeatures,
    class_names,
    class_words,
)

DEFAULT = "efficientnet_lite0"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels: torchvision normalises by them for all its classifiers."""


@dataclass(frozen=True)
class _Layout:
    """Where a network has what we read."""

    size: int
    """Width of its last feature map."""
    grid: str
    """Node that gives that map."""
    classifier: str
    side: int = SIDE
    """Pixels that it was trained on."""


TORCHVISION = {
    "inception_v3": _Layout(2048, "Mixed_7c", "fc", 299),
    "resnet50": _Layout(2048, "layer4", "fc"),
    "resnet152": _Layout(2048, "layer4", "fc"),
    "vgg16": _Layout(512, "features", "classifier"),
}
NAMES = (DEFAULT, *TORCHVISION)


class Backbone(Protocol):
    """What looks at pictures."""

    def encode(self, pictures: Sequence[Picture]) -> list[ImageFeatures]:
        """Features of each picture, in order, its regions among them."""
        ...


def backbone(name: str = DEFAULT, device: str | torch.device = "cpu") -> Backbone:
    """The classifier `name`, one of NAMES. Raises PretrainedError where its weights are not to be had."""
    _check(name)
    if name == DEFAULT:
        return ImageEncoder(device, regions=True)
    return TorchvisionBackbone(name, load_torchvision(name), device)


def feature_size(name: str) -> int:
    """Width of the pooled and of the region features of classifier `name`."""
    _check(name)
    return FEATURES if name == DEFAULT else TORCHVISION[name].size


def _check(name: str) -> None:
    if name not in NAMES:
        raise PretrainedError(f"unknown image classifier {name!r}; known are: {', '.join(NAMES)}")


class TorchvisionBackbone:
    """One of TORCHVISION's classifiers."""

    def __init__(self, name: str, network: nn.Module, device: str | torch.device = "cpu") -> None:
        """`network` is torchvision's model `name` with its weights."""
        self.device = torch.device(device)
        self._layout = TORCHVISION[name]
        nodes = {self._layout.grid: "grid", self._layout.classifier: "logits"}
        # Inception's branch for training is not ours: no warning that it is missing.
        extractor = create_feature_extractor(network.eval(), nodes, suppress_diff_warning=True)
        self._network = extractor.to(self.device)

    @torch.no_grad()
    def encode(self, pictures: Sequence[Picture]) -> list[ImageFeatures]:
        """Features of each picture, in order; `pooled` is the mean of the regions."""
        found: list[ImageFeatures] = []
        for start in range(0, len(pictures), CPU_BATCH):
            outputs = self._network(self._pixels(pictures[start : start + CPU_BATCH]))
            grids = outputs["grid"].flatten(2).mT.float().cpu()
            probabilities, classes = outputs["logits"].float().softmax(dim=-1).topk(TOP_CLASSES)
            words = map(class_words, probabilities.tolist(), classes.tolist())
            names = map(class_names, classes.tolist())
            found += [
                ImageFeatures(grid.mean(dim=0), likely, best, grid.clone())
                for grid, likely, best in zip(grids, words, names, strict=True)
            ]
        return found

    def _pixels(self, pictures: Sequence[Picture]) -> Tensor:
        """float32 [n, 3, side, side], normalised."""
        pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures])).to(self.device)
        pixels = pixels.permute(0, 3, 1, 2).float() / 255
        if self._layout.side != SIDE:
            pixels = nn.functional.interpolate(pixels, self._layout.side, mode="bilinear", antialias=True)
        mean, std = (pixels.new_tensor(each).view(3, 1, 1) for each in (MEAN, STD))
        return (pixels - mean) / std


def load_torchvision(name: str, **settings: Any) -> nn.Module:
    """torchvision's model `name` with its best weights, in eval mode; `settings` go to its constructor.

    Raises PretrainedError where the weights are neither on this machine nor to be downloaded.
    """
    try:
        network: nn.Module = get_model(name, weights="DEFAULT", **settings)
    except (OSError, RuntimeError) as error:  # no network; damaged files
        raise PretrainedError(
            f"the weights of {name} are not on this machine and cannot be downloaded: {one_line(error)[:200]}"
        ) from None
    return network.eval()
