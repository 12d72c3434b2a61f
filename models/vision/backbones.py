"""ImageNet classifiers by name, each with ImageEncoder's interface: pooled features, the grid of cells, class words.

`efficientnet_lite0` is the default; its weights come in a package (models/vision/efficientnet.py). All others are
torchvision's, including those of the papers (CWI's `inception_v3`, HamLearning's `resnet152`, HSN's `vgg16`). Their
weights are downloaded at first use, if the network allows it. All read the same 224 x 224 pixels
(models/vision/decoding.py), enlarged for networks that were trained on more. The grid is a network's last feature map,
found by a pass without weights. Vision transformers have none, and SqueezeNet's is one of classes; both are rejected.
Features are not cached here: compute them once and store them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models.core.errors import PretrainedError, one_line
from models.vision.decoding import SIDE, Picture
from models.vision.efficientnet import (
    CPU_BATCH,
    FEATURES,
    TOP_CLASSES,
    ImageEncoder,
    ImageFeatures,
    class_names,
    class_words,
)

DEFAULT = "efficientnet_lite0"


@cache
def torchvision_names() -> tuple[str, ...]:
    """The names of torchvision's classifiers that have a grid."""
    import torchvision  # late, here and below: only other classifiers need this slow import

    names = torchvision.models.list_models(torchvision.models)
    return tuple(name for name in names if not name.startswith(("vit_", "squeezenet")))


@dataclass(frozen=True)
class _Layout:
    """A network's output for a picture, and the input it was trained on."""

    size: int
    """Width of its last feature map."""
    grid: str
    """The module that outputs that map."""
    side: int
    """Pixels."""
    mean: Sequence[float]
    std: Sequence[float]


class Backbone(Protocol):
    """A classifier of pictures."""

    def encode(self, pictures: Sequence[Picture]) -> list[ImageFeatures]:
        """Features of each picture, in order, including its regions."""
        ...


def backbone(name: str = DEFAULT, device: str | torch.device = "cpu") -> Backbone:
    """The classifier `name`, DEFAULT or one of torchvision's. Raises PretrainedError if its weights are unavailable."""
    _check(name)
    if name == DEFAULT:
        return ImageEncoder(device, regions=True)
    return TorchvisionBackbone(name, load_torchvision(name), device)


def feature_size(name: str) -> int:
    """Width of the pooled and of the region features of classifier `name`."""
    _check(name)
    return FEATURES if name == DEFAULT else _layout(name).size


def _check(name: str) -> None:
    if name != DEFAULT and name not in torchvision_names():
        raise PretrainedError(
            f"unknown image classifier {name!r}: use {DEFAULT} or a torchvision classifier with a feature grid, such "
            "as resnet50, inception_v3 or vgg16"
        )


@cache
def _layout(name: str) -> _Layout:
    """The layout of torchvision's network `name`, found without its weights."""
    from torchvision.models import get_model_weights

    seen = get_model_weights(name).DEFAULT.transforms()
    [side] = seen.crop_size
    network, device = _hollow(name)
    paths = {module: path for path, module in network.named_modules()}
    maps: list[tuple[str, int]] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[2] > 1:
            maps.append((paths[module], output.shape[1]))

    for module in paths:
        module.register_forward_hook(keep)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, side, side, device=device))
    grid, size = maps[-1]
    return _Layout(size, grid, side, seen.mean, seen.std)


def _hollow(name: str) -> tuple[nn.Module, str]:
    """torchvision's network `name`, untrained, and its device: `meta` has no values, but RegNet needs random ones."""
    from torchvision.models import get_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about Inception's initial weights
        try:
            with torch.device("meta"):
                return get_model(name, weights=None), "meta"
        except NotImplementedError:
            with torch.random.fork_rng(devices=[]):  # a run's random numbers must not depend on this
                return get_model(name, weights=None), "cpu"


class TorchvisionBackbone:
    """One of torchvision's classifiers."""

    def __init__(self, name: str, network: nn.Module, device: str | torch.device = "cpu") -> None:
        """`network` is torchvision's model `name` with its weights."""
        self.device = torch.device(device)
        self._layout = _layout(name)
        self._network = network.eval().to(self.device)
        self._maps: list[Tensor] = []
        grid = self._network.get_submodule(self._layout.grid)
        grid.register_forward_hook(lambda module, inputs, output: self._maps.append(output))

    @torch.no_grad()
    def encode(self, pictures: Sequence[Picture]) -> list[ImageFeatures]:
        """Features of each picture, in order; `pooled` is the mean of the regions."""
        found: list[ImageFeatures] = []
        for start in range(0, len(pictures), CPU_BATCH):
            logits = self._network(self._pixels(pictures[start : start + CPU_BATCH]))
            grids = self._maps.pop().flatten(2).mT.float().cpu()
            probabilities, classes = logits.float().softmax(dim=-1).topk(TOP_CLASSES)
            words = map(class_words, probabilities.tolist(), classes.tolist())
            names = map(class_names, classes.tolist())
            found += [
                ImageFeatures(grid.mean(dim=0), likely, best, grid.clone())
                for grid, likely, best in zip(grids, words, names, strict=True)
            ]
        return found

    def _pixels(self, pictures: Sequence[Picture]) -> Tensor:
        """float32 [n, 3, side, side], normalized."""
        pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures])).to(self.device)
        pixels = pixels.permute(0, 3, 1, 2).float() / 255
        if self._layout.side != SIDE:
            pixels = nn.functional.interpolate(pixels, self._layout.side, mode="bilinear", antialias=True)
        mean, std = (pixels.new_tensor(each).view(3, 1, 1) for each in (self._layout.mean, self._layout.std))
        return (pixels - mean) / std


def load_torchvision(name: str, **settings: Any) -> nn.Module:
    """torchvision's model `name` with its best weights, in eval mode; `settings` go to its constructor.

    Raises PretrainedError if the weights are not on this machine and cannot be downloaded.
    """
    from torchvision.models import get_model

    try:
        network: nn.Module = get_model(name, weights="DEFAULT", **settings)
    except (OSError, RuntimeError) as error:  # no network; damaged files
        raise PretrainedError(
            f"the weights of {name} are not on this machine and cannot be downloaded: {one_line(error)[:200]}"
        ) from None
    return network.eval()
