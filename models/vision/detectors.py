"""Object detection: the objects of an image with their boxes, CNN features and names.

Two kinds of detector, by name:

- `class_activation` (offline): for each of the likeliest ImageNet classes, the region that activates it. A class's
  activation map (Zhou et al. 2016, arXiv:1512.04150, equation 2) is its classifier weights times EfficientNet-Lite0's
  7 x 7 grid. The object is the cells above a share of the map's range that are connected to its peak. This deviates
  from HamLearning, whose objects come from a detector: at most 5 per image, in steps of 32 pixels.
- `fasterrcnn_resnet50_fpn`, `maskrcnn_resnet50_fpn`: torchvision's detectors, trained on COCO's 80 kinds of things
  (HamLearning's Table 6 has Mask R-CNN on COCO; its Faster R-CNN on Visual Genome is not in torchvision). Their weights
  are downloaded at first use, if the network allows it.

The image's own feature comes from the same layer as its objects'. Nothing is cached here.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.core.errors import PretrainedError
from models.vision.backbones import load_torchvision
from models.vision.efficientnet import FEATURES, TOP_CLASSES, categories, load_efficientnet

if TYPE_CHECKING:
    from torchvision.models.detection import FasterRCNN

MAX_OBJECTS = 15
"""N of HamLearning: of the detected objects, those with the highest scores."""
CLASS_ACTIVATION = "class_activation"
DETECTORS = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn")
NAMES = (CLASS_ACTIVATION, *DETECTORS)
ROI_FEATURES = 1024
"""Width of the box features of torchvision's detectors."""
THRESHOLD = 0.5
"""Share of a class activation map's range above which a cell belongs to the object. Zhou et al. use a fifth of the
maximum, on finer maps. On ten photographs, boxes with a half enclosed dogs and a flower; with a third, they were too
large."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The r objects of an image, best first; float32 on the CPU. An image may have none.

    pooled: [features] of the whole image.
    features: [r, features].
    boxes: [r, 4], centre x, centre y, height, width, in shares of the image.
    words: r names in lower case.
    """

    pooled: Tensor
    features: Tensor
    boxes: Tensor
    words: tuple[str, ...]


class ObjectDetector(ABC):
    """Finds at most MAX_OBJECTS objects in an image."""

    @abstractmethod
    def detect(self, pixels: Pixels) -> Objects:
        """The objects of an image, uint8 [height, width, 3], RGB; class_activation needs 224 x 224."""


def feature_size(name: str) -> int:
    """Width of detector `name`'s features of an image and of its objects."""
    _check(name)
    return FEATURES if name == CLASS_ACTIVATION else ROI_FEATURES


def _check(name: str) -> None:
    if name not in NAMES:
        raise PretrainedError(f"unknown object detector {name!r}; known detectors: {', '.join(NAMES)}")


def object_detector(name: str = CLASS_ACTIVATION, device: str | torch.device = "cpu") -> ObjectDetector:
    """The detector `name`, one of NAMES. Raises PretrainedError if its weights are not available."""
    _check(name)
    if name == CLASS_ACTIVATION:
        return ClassActivationRegions(device)
    from torchvision.models import get_model_weights
    from torchvision.models.detection import FasterRCNN

    network = load_torchvision(name, box_detections_per_img=MAX_OBJECTS)
    assert isinstance(network, FasterRCNN)
    return TorchvisionDetector(network, get_model_weights(name).DEFAULT.meta["categories"], device)


class ClassActivationRegions(ObjectDetector):
    """EfficientNet-Lite0's class activation maps."""

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._network = load_efficientnet().to(self.device)

    @torch.no_grad()
    def detect(self, pixels: Pixels) -> Objects:
        """One object for each of the TOP_CLASSES likeliest classes."""
        inputs = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1)[None].float() / 127.5 - 1
        grid = self._network.forward_features(inputs)[0].permute(1, 2, 0)
        classifier = self._network.get_classifier()
        pooled = grid.mean(dim=(0, 1))
        classes = classifier(pooled).topk(TOP_CLASSES).indices
        regions = [peak_region(grid @ classifier.weight[each]) for each in classes]
        names = categories()
        return Objects(
            pooled.cpu(),
            torch.stack([grid[region].mean(dim=0) for region in regions]).cpu(),
            torch.tensor([box_of_cells(region) for region in regions]),
            tuple(names[each].lower() for each in classes.tolist()),
        )


def peak_region(activation: Tensor) -> Tensor:
    """The cells [height, width] bool above THRESHOLD of the map's range that are connected to its highest cell."""
    low, high = activation.min(), activation.max()
    above = activation >= low + THRESHOLD * (high - low)
    region = activation == high
    for _ in range(activation.numel()):
        grown = _grown(region) & above
        if bool((grown == region).all()):
            break
        region = grown
    return region


def _grown(region: Tensor) -> Tensor:
    """The cells and their neighbours above, below, left and right."""
    padded = nn.functional.pad(region, (1, 1, 1, 1))
    inner = slice(1, -1)
    return region | padded[:-2, inner] | padded[2:, inner] | padded[inner, :-2] | padded[inner, 2:]


def box_of_cells(region: Tensor) -> list[float]:
    """Centre x, centre y, height and width, in shares of the grid, of the smallest box around the cells."""
    height, width = region.shape
    rows, columns = (region.any(dim=dim).nonzero().flatten().tolist() for dim in (1, 0))
    return as_box(columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)


def as_box(left: float, top: float, right: float, bottom: float) -> list[float]:
    """Centre x, centre y, height, width."""
    return [(left + right) / 2, (top + bottom) / 2, bottom - top, right - left]


class TorchvisionDetector(ObjectDetector):
    """A Faster R-CNN (Mask R-CNN is one), without masks; an object's feature is its box head's."""

    def __init__(
        self, network: "FasterRCNN", categories: Sequence[str], device: str | torch.device = "cpu"
    ) -> None:
        """`categories` are the names of the network's classes, the background first."""
        self.device = torch.device(device)
        self._network = network.eval().to(self.device)
        self._categories = categories
        # Masks would take most of Mask R-CNN's time, and are not used.
        self._network.roi_heads.mask_roi_pool = None

    @torch.no_grad()
    def detect(self, pixels: Pixels) -> Objects:
        """Objects by descending score; features are those of the final boxes."""
        network = self._network
        image = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1).float() / 255
        images, _ = network.transform([image])
        maps = network.backbone(images.tensors)
        proposals, _ = network.rpn(images, maps)
        found = network.roi_heads(maps, proposals, images.image_sizes)[0][0]
        best = found["scores"].argsort(descending=True)[:MAX_OBJECTS]
        height, width = images.image_sizes[0]
        sides = found["boxes"].new_tensor([width, height, width, height])
        boxes = torch.cat([sides.new_tensor([[0, 0, width, height]]), found["boxes"][best]])
        features = network.roi_heads.box_head(
            network.roi_heads.box_roi_pool(maps, [boxes], images.image_sizes)
        ).cpu()
        return Objects(
            features[0],
            features[1:],
            torch.tensor([as_box(*box) for box in (boxes[1:] / sides).tolist()]).view(-1, 4),
            tuple(self._categories[label].lower() for label in found["labels"][best].tolist()),
        )
