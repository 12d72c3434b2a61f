"""What is known about a post's images: words, and the features that a CNN computed from their pixels."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Features of a post's images, float32 on the CPU.

    pooled: [image size], the mean over the images.
    regions: [r, image size], cells of the CNN's grid or detected objects, where the model reads them.
    boxes: [r, 4] of each region: centre x, centre y, height, width, in shares of the image.
    words: r names of what the regions show, or none.
    """

    pooled: Tensor
    regions: Tensor | None = None
    boxes: Tensor | None = None
    words: tuple[str, ...] = ()


def noun_of(name: str) -> str:
    """The word that a class or an object is known by: of a name in several words, English puts the noun last."""
    return name.lower().split()[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Words about a post's images (alt texts, captions, class names), and their pixels' features."""

    words: tuple[str, ...] = ()
    pixels: Pixels | None = None


NOTHING_SEEN = Seen()
