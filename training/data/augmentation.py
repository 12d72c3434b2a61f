"""Noise in the training input, drawn again each epoch.

With it, the model learns to handle missing images, another post's image, the class words that serving adds, both
spellings of hashtags, and damaged words.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from models.text.tokenizer import words_of
from training.data.datasets import Sample

UNREADABLE = "\ufffd"


Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Noise:
    """How often the training input is disturbed, as shares of posts per epoch."""

    no_image: Share = 0.30
    """Posts that lose their image: its words and its pixels. Class words may still be added."""
    other_image: Share = 0.07
    """Posts that get another post's image: its words and its pixels."""
    class_words: Share = 0.30
    """Posts that get random class words of the CNN in addition to their caption, or instead of it."""
    no_hashtags: Share = 0.15
    other_spelling: Share = 0.30
    """Hashtags written as one token instead of two (`#`, `NBA`), or vice versa."""
    unreadable: Share = 0.10
    """Tokens replaced with a replacement character, as in damaged feeds: their tag must come from the context."""


class Augmenter:
    """Applies Noise to samples, with the caller's random generator."""

    def __init__(self, noise: Noise, samples: Sequence[Sample], class_names: Sequence[str]) -> None:
        """samples: posts whose images may replace a post's own. class_names: the CNN's."""
        self.noise = noise
        self.others = [each for each in samples if each.image_words or each.pixels]
        self.class_names = class_names

    def __call__(self, sample: Sample, stream: random.Random) -> Sample:
        """A disturbed copy."""
        draw = stream.random
        words, pixels, other_image = list(sample.image_words), sample.pixels, False
        chance = draw()
        if chance < self.noise.no_image:
            words, pixels = [], None
        elif chance < self.noise.no_image + self.noise.other_image and self.others:
            other = stream.choice(self.others)
            words, pixels, other_image = other.image_words, other.pixels, True
        if draw() < self.noise.class_words:
            names = stream.sample(self.class_names, stream.randint(1, 4))
            words = words + [word for name in names for word in words_of(name)]
        respelled = respell_hashtags(sample, lambda: draw() < self.noise.other_spelling)
        tokens = [UNREADABLE if draw() < self.noise.unreadable else token for token in respelled.tokens]
        hashtags = draw() >= self.noise.no_hashtags
        return replace(
            respelled,
            tokens=tokens,
            image_words=words,
            pixels=pixels,
            hashtags=hashtags,
            other_image=other_image,
        )


def respell_hashtags(sample: Sample, chosen: Callable[[], bool]) -> Sample:
    """The sample with each `chosen` hashtag in the other spelling: `#NBA` to `#`, `NBA` and back.

    In two tokens, the mark is outside the entity, as in Twitter-2017; in one token, it is inside.
    """
    tokens: list[str] = []
    origins: list[int | None] = []
    position = 0
    while position < len(sample.tokens):
        token, tag = sample.tokens[position], sample.tags[position]
        following = sample.tokens[position + 1 : position + 2]
        if token == "#" and tag == "O" and following and following[0][:1].isalnum() and chosen():
            tokens.append("#" + following[0])
            origins.append(position + 1)
            position += 1
        elif token[:1] == "#" and len(token) > 1 and not tag.startswith("I-") and chosen():
            tokens += ["#", token[1:]]
            origins += [None, position]
        else:
            tokens.append(token)
            origins.append(position)
        position += 1
    tags = ["O" if origin is None else sample.tags[origin] for origin in origins]
    return replace(sample, tokens=tokens, tags=tags, targets=_moved(sample.targets, origins))


def _moved(targets: Tensor | None, origins: Sequence[int | None]) -> Tensor | None:
    """A teacher's marginals at the tokens' new positions; an inserted mark is certainly O, the first label."""
    if targets is None:
        return None
    outside = torch.zeros(targets.shape[1])
    outside[0] = 1.0
    return torch.stack([outside if origin is None else targets[origin] for origin in origins])
