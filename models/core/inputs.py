"""The input that a model reads, as set by its configuration; encoding, images and batches follow it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Inputs:
    """Settings of PostEncoder (models/text/post_encoder.py) and of the Tagger's image input."""

    text_encoder: str = ""
    """A pretrained transformer by name (models/text/pretrained.py); empty: no word pieces."""
    rows: Literal["text", "joint", "views"] = "text"
    """The transformer's rows: the text alone; text, image words and hashtag words in one; or one for each view."""
    reads: tuple[str, ...] = ("text", "image", "hashtags")
    """The modalities whose words are read; ablations leave some out."""
    max_characters: int = 24
    """Maximum number of characters read per token."""
    part_of_speech: bool = False
    image_words: Literal["all", "content", "nouns", "classes"] = "all"
    """Which image words are read: all, content words only, nouns only, or `classes`. With `classes`, pixels give a word
    for each of the classifier's likeliest classes; words given instead of pixels are reduced to content words."""
    max_image_words: int = 40
    regions: Literal["none", "grid", "objects"] = "none"
    """Image regions: none, the cells of the CNN's grid, or objects with their boxes."""
    backbone: str = "efficientnet_lite0"
    """The ImageNet classifier for class words, pooled features and the grid (models/vision/backbones.py)."""
    detector: str = "class_activation"
    """The object detector (models/vision/detectors.py)."""
    image_size: int = 1280
    """Width of pooled and of region features."""
