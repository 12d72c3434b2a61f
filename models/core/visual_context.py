"""Image input of a post: words about its images, and CNN features of their pixels."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Features of a post's images, float32 on the CPU.

    pooled: [image size], the mean over the images.
    regions: [r, image size], cells of the CNN's grid or detected objects, if the model reads them.
    boxes: [r, 4] of each region: centre x, centre y, height, width, in shares of the image.
    words: r names of the regions, or none.
    """

    pooled: Tensor
    regions: Tensor | None = None
    boxes: Tensor | None = None
    words: tuple[str, ...] = ()


def noun_of(name: str) -> str:
    """The noun in the name of a class or object: in English, the last word of a name of several words."""
    return name.lower().split()[-1]


@dataclass(frozen=True, slots=True, eq=False)
class VisualContext:
    """Words about a post's images (alt texts, captions, class names), and their pixels' features."""

    words: tuple[str, ...] = ()
    pixels: Pixels | None = None


NOTHING_SEEN = VisualContext()
