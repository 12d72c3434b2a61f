"""From a post's pictures to image input (`VisualContext`): the same code in serving and in training.

Words: the alt texts, then the captioner's captions, then the classifier's class words. A model that reads classes gets
a word for each of the first picture's likeliest classes instead. Features, for models trained on pixels: pooled, the
mean over a post's pictures; and regions, the cells of all pictures' grids, or the objects of the first picture (their
spatial graph is of one picture).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from cachetools import LRUCache
from torch import Tensor

from models.core.inputs import Inputs
from models.core.visual_context import NOTHING_SEEN, Pixels, VisualContext, noun_of
from models.text.tokenizer import words_of
from models.vision.backbones import DEFAULT, Backbone, backbone
from models.vision.captioner import Captioner
from models.vision.decoding import Picture
from models.vision.detectors import ObjectDetector, object_detector
from models.vision.efficientnet import ImageEncoder

MAX_ALT = 1000
"""Characters of an image's alt text that are read."""
GRID = 7
"""Cells in a row, and in a column, of the CNN's last feature map."""


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """The features and words of one picture."""

    caption: tuple[str, ...]
    class_words: tuple[str, ...]
    classes: tuple[str, ...]
    """A word for each of the likeliest classes, likely or not."""
    pixels: Pixels


class ImageReader:
    """Reads pictures with a classifier and, if given, a captioner; caches `cache` pictures by content.

    For one thread at a time. Raises PretrainedError if weights are missing. With `lazily`, networks are read and their
    libraries imported at the first picture, so the error is raised only then.
    """

    def __init__(
        self,
        inputs: Inputs,
        device: torch.device,
        cache: int,
        captioner: Captioner | None = None,
        *,
        lazily: bool = False,
    ) -> None:
        self._inputs, self._device = inputs, device
        if inputs.image_words == "classes":
            captioner = None  # its words would not be read
        self._captioner = captioner.to(device) if captioner else None
        self._known: LRUCache[str, _Looked] = LRUCache(cache)
        if not lazily:
            _ = self._detector, self._default, self._other

    @cached_property
    def _detector(self) -> ObjectDetector | None:
        if self._inputs.regions != "objects":
            return None
        return object_detector(self._inputs.detector, self._device)

    @cached_property
    def _default(self) -> Backbone | None:
        """EfficientNet-Lite0, whose grid the captioner reads even if another network computes the features."""
        captions = self._captioner is not None
        if not captions and self._inputs.backbone != DEFAULT:
            return None
        return ImageEncoder(self._device, regions=captions or self._inputs.regions == "grid")

    @cached_property
    def _other(self) -> Backbone | None:
        name = self._inputs.backbone
        return None if name == DEFAULT else backbone(name, self._device)

    @property
    def remembered(self) -> int:
        """Number of pictures whose features are cached."""
        return len(self._known)

    def read(self, posts: Sequence[Sequence[Picture]]) -> list[VisualContext]:
        """The image input of each post; empty for a post without pictures."""
        pictures = {picture.key: picture for post in posts for picture in post}
        known = {key: self._known[key] for key in pictures if key in self._known}
        new = [picture for key, picture in pictures.items() if key not in known]
        if new:
            known |= zip((picture.key for picture in new), self._look(new), strict=True)
        if self._known.maxsize:  # a cache of size 0 raises an error
            self._known.update(known)
        return [self._together(post, [known[picture.key] for picture in post]) for post in posts]

    def _look(self, pictures: Sequence[Picture]) -> list[_Looked]:
        features = self._default.encode(pictures) if self._default is not None else []
        captions: list[list[str]] = [[] for _ in pictures]
        if self._captioner is not None:
            grids = [each.regions for each in features if each.regions is not None]
            captions = self._captioner.caption(torch.stack(grids))
        if self._other is not None:
            features = self._other.encode(pictures)
        looked = []
        for picture, each, caption in zip(pictures, features, captions, strict=True):
            grid = each.regions if self._inputs.regions == "grid" else None
            pixels = Pixels(each.pooled, grid, None if grid is None else grid_boxes(len(grid)))
            if self._detector is not None:
                found = self._detector.detect(picture.pixels)
                pixels = Pixels(found.pooled, found.features, found.boxes, found.words)
            classes = tuple(noun_of(name) for name in each.classes)
            looked.append(_Looked(tuple(caption), tuple(words_of(" ".join(each.words))), classes, pixels))
        return looked

    def _together(self, pictures: Sequence[Picture], looked: Sequence[_Looked]) -> VisualContext:
        """The image input from all pictures of one post."""
        if not looked:
            return NOTHING_SEEN
        first = looked[0]
        words = first.classes if self._inputs.image_words == "classes" else _words(pictures, looked)
        pooled = torch.stack([each.pixels.pooled for each in looked]).mean(dim=0)
        regions, boxes = first.pixels.regions, first.pixels.boxes
        if regions is None or boxes is None:
            return VisualContext(words, Pixels(pooled))
        if self._detector is not None:
            return VisualContext(words, Pixels(pooled, regions, boxes, first.pixels.words))
        grids = [each.pixels.regions for each in looked if each.pixels.regions is not None]
        return VisualContext(words, Pixels(pooled, torch.cat(grids), boxes.repeat(len(grids), 1)))


def _words(pictures: Sequence[Picture], looked: Sequence[_Looked]) -> tuple[str, ...]:
    """Alt texts, captions and class words of all pictures."""
    words = words_of(" ".join(picture.alt[:MAX_ALT] for picture in pictures))
    words += [word for each in looked for word in each.caption]
    words += [word for each in looked for word in each.class_words]
    return tuple(words)


def grid_boxes(cells: int = GRID * GRID) -> Tensor:
    """The boxes of a square grid's cells, row by row [cells, 4]: centre x, centre y, height, width, in shares."""
    side = round(cells**0.5)
    centres = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    size = torch.full((side * side,), 1 / side)
    return torch.stack([x.flatten(), y.flatten(), size, size], dim=1)
