"""Controls of a model's input: modalities are removed, or replaced by another post's.

Every control takes samples and returns the same number in the same order. Tokens and tags are unchanged unless a
control says otherwise. A seed makes the same choice each time; the posts chosen for a share are also chosen for any
larger share.
"""

import random
import string
from collections.abc import Sequence
from dataclasses import replace

from training.data.datasets import Sample
from training.errors import DataError


def without_images(samples: Sequence[Sample]) -> list[Sample]:
    """Removes image words and image features."""
    return [replace(sample, image_words=[], pixels=None) for sample in samples]


def with_text_only(name: str, samples: Sequence[Sample]) -> dict[str, Sequence[Sample]]:
    """The inputs that a set is scored on: `NAME`, and, where there are images, `NAME text only` without them."""
    inputs = {name: samples}
    if any(map(has_image, samples)):
        inputs[f"{name} text only"] = without_images(samples)
    return inputs


def without_hashtags(samples: Sequence[Sample]) -> list[Sample]:
    """Hashtags stay in the text, but their words are not read separately."""
    return [replace(sample, hashtags=False) for sample in samples]


def with_images(samples: Sequence[Sample]) -> list[Sample]:
    """The unchanged samples. Raises DataError if none has an image: nothing could be removed or replaced."""
    if not any(map(has_image, samples)):
        raise DataError("no post has image input: give --visual captions:NAME or --visual pixels")
    return list(samples)


def with_others_images(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Each post with an image gets the image input of another: none keeps its own, each is used once.

    Raises DataError if none has an image.
    """
    having = [index for index, sample in enumerate(with_images(samples)) if has_image(sample)]
    random.Random(seed).shuffle(having)
    givers = dict(zip(having, having[1:] + having[:1], strict=True))
    return [
        replace(sample, image_words=samples[givers[index]].image_words, pixels=samples[givers[index]].pixels)
        if index in givers
        else sample
        for index, sample in enumerate(samples)
    ]


def in_share(original: Sequence[Sample], changed: Sequence[Sample], share: float, seed: int) -> list[Sample]:
    """`changed` in a random `share` of the posts, `original` in the others."""
    order = list(range(len(original)))
    random.Random(seed).shuffle(order)
    chosen = frozenset(order[: round(share * len(order))])
    return [
        after if index in chosen else before
        for index, (before, after) in enumerate(zip(original, changed, strict=True))
    ]


def with_random_hashtags(samples: Sequence[Sample], share: float, seed: int) -> list[Sample]:
    """Replaces a random `share` of all hashtags with random letters, in the text as well; tags are unchanged.

    The number of letters is unchanged. Twitter-2017's spelling (`#`, `NBA`) counts as one hashtag.
    """
    chosen = random.Random(seed)
    return [replace(sample, tokens=_scrambled(sample.tokens, share, chosen)) for sample in samples]


def _scrambled(tokens: Sequence[str], share: float, chosen: random.Random) -> list[str]:
    changed = list(tokens)
    for position, token in enumerate(tokens):
        previous = tokens[position - 1] if position else ""
        in_one = token[:1] in ("#", "＃") and len(token) > 1
        in_two = previous in ("#", "＃") and token[:1].isalnum()
        if (in_one or in_two) and chosen.random() < share:
            mark = token[0] if in_one else ""
            letters = chosen.choices(string.ascii_lowercase, k=len(token) - len(mark))
            changed[position] = mark + "".join(letters)
    return changed


def has_image(sample: Sample) -> bool:
    """Whether the post has image input: image words, or features of its pixels."""
    return bool(sample.image_words) or sample.pixels is not None
