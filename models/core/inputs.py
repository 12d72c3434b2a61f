"""What of a post a model reads. A model's configuration says it, once; encoding, images and batches follow it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Inputs:
    """What PostEncoder lays out (models/text/post_encoder.py) and what Tagger looks for in images."""

    text_encoder: str = ""
    """A pretrained transformer by name (models/text/pretrained.py); empty: no word pieces are made."""
    rows: Literal["text", "joint", "views"] = "text"
    """The transformer's rows: the text alone; text, image words and hashtag words in one; or one for each view."""
    reads: tuple[str, ...] = ("text", "image", "hashtags")
    """The modalities whose words are read; ablations leave some out."""
    max_characters: int = 24
    """Characters of a token that are read; the rest says little."""
    part_of_speech: bool = False
    image_words: Literal["all", "content", "nouns", "classes"] = "all"
    """Which words about an image are read: all, content words only, nouns only, or `classes`: of pixels, a word for
    each of the classifier's likeliest classes; of words that are given in their place, content words."""
    max_image_words: int = 40
    regions: Literal["none", "grid", "objects"] = "none"
    """What is cut out of an image: nothing, the cells of the CNN's grid, or objects with their boxes."""
    backbone: str = "efficientnet_lite0"
    """The ImageNet classifier that gives class words, pooled features and the grid (models/vision/backbones.py)."""
    detector: str = "class_activation"
    """What finds objects (models/vision/detectors.py)."""
    image_size: int = 1280
    """Width of pooled and of region features."""
