"""Data sets as a model reads them: posts with the words about their image and their hashtags' words, and noise.

A data folder holds train.txt and valid.txt (training/conll.py), and may hold captions.NAME.json. Noise is drawn anew
each epoch, so that the model learns to do without captions, with captions of another's image, and with the class
words that serving adds.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.batch import Encoded
from models.encode import PostEncoder, windows
from models.tagger import words_of
from models.tokens import hashtags_in
from training.conll import DataError, LabelledPost, read_conll

UNREADABLE = "\ufffd"

Segment = Callable[[Sequence[str]], list[str]]
"""Hashtags without `#` to their words, joined by spaces."""


@dataclass(frozen=True)
class Noise:
    """How often (shares of posts, per epoch) the training input is disturbed."""

    no_image: float = 0.30
    """Posts that lose their caption (design, section 7); class words may still come in its place."""
    other_image: float = 0.07
    """Posts that get another post's caption."""
    class_words: float = 0.30
    """Posts that get random class words of the CNN beside (or in place of) their caption."""
    no_hashtags: float = 0.15
    other_spelling: float = 0.30
    """Hashtags that are written as one token instead of two (`#`, `NBA`), or the other way."""
    unreadable: float = 0.10
    """Tokens that become a replacement character, as in damaged feeds: their tag must come from the context."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled post with the words of its image, ready to be disturbed and encoded."""

    tokens: list[str]
    tags: list[str]
    image_words: list[str]
    hashtags: bool = True
    """Whether the hashtags' words are read."""


def read_captions(path: Path) -> dict[str, str]:
    """Image id to caption. Raises DataError if the file is none."""
    try:
        captions = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read captions {path}: {error}") from None
    if not isinstance(captions, dict) or not all(isinstance(text, str) for text in captions.values()):
        raise DataError(f"captions {path} must be an object of image id to caption")
    return captions


def samples(posts: Sequence[LabelledPost], captions: dict[str, str]) -> list[Sample]:
    """The posts with their captions' words (none where there is no caption)."""
    return [Sample(p.tokens, p.training_tags, words_of(captions.get(p.image_id, ""))) for p in posts]


def read_folder(folder: Path, split: str, captions: str) -> list[Sample]:
    """The samples of `folder/split.txt` with `folder/captions.{captions}.json` (no captions if empty)."""
    words = read_captions(folder / f"captions.{captions}.json") if captions else {}
    return samples(read_conll(folder / f"{split}.txt"), words)


def hashtag_words(tokens: list[str], segment: Segment) -> list[str]:
    """The words of all hashtags among `tokens`."""
    return [word for words in segment(hashtags_in(tokens)) for word in words.split()]


def encode(sample: Sample, encoder: PostEncoder, segment: Segment, labels: Sequence[str]) -> Encoded:
    """One training example; a post longer than a window is cut (none of the data sets has one)."""
    ids = encoder.token_ids(sample.tokens)
    kept = windows(ids)[0][1]
    return encoder.encode(
        ids[:kept],
        sample.image_words,
        hashtag_words(sample.tokens, segment) if sample.hashtags else (),
        tags=[labels.index(tag) for tag in sample.tags[:kept]],
    )


class Disturber:
    """Applies Noise to samples; one seeded stream of randomness."""

    def __init__(
        self, noise: Noise, captions: Sequence[list[str]], class_names: Sequence[str], seed: int
    ) -> None:
        self.noise = noise
        self.captions = [words for words in captions if words]
        self.class_names = class_names
        self.random = random.Random(seed)

    def __call__(self, sample: Sample) -> Sample:
        """A disturbed copy."""
        draw = self.random.random
        words = list(sample.image_words)
        chance = draw()
        if chance < self.noise.no_image:
            words = []
        elif chance < self.noise.no_image + self.noise.other_image and self.captions:
            words = self.random.choice(self.captions)
        if draw() < self.noise.class_words:
            names = self.random.sample(self.class_names, self.random.randint(1, 4))
            words = words + [word for name in names for word in words_of(name)]
        tokens, tags = respell_hashtags(sample, lambda: draw() < self.noise.other_spelling)
        tokens = [UNREADABLE if draw() < self.noise.unreadable else token for token in tokens]
        hashtags = draw() >= self.noise.no_hashtags
        return replace(sample, tokens=tokens, tags=tags, image_words=words, hashtags=hashtags)


def respell_hashtags(sample: Sample, chosen: Callable[[], bool]) -> tuple[list[str], list[str]]:
    """Tokens and tags with each `chosen` hashtag in the other spelling: `#NBA` to `#`, `NBA` and back.

    Written as two, the mark is outside of the entity, as Twitter-2017 has it; written as one, it is inside.
    """
    tokens: list[str] = []
    tags: list[str] = []
    position = 0
    while position < len(sample.tokens):
        token, tag = sample.tokens[position], sample.tags[position]
        following = sample.tokens[position + 1 : position + 2]
        if token == "#" and tag == "O" and following and following[0][:1].isalnum() and chosen():
            tokens.append("#" + following[0])
            tags.append(sample.tags[position + 1])
            position += 1
        elif token[:1] == "#" and len(token) > 1 and not tag.startswith("I-") and chosen():
            tokens += ["#", token[1:]]
            tags += ["O", tag]
        else:
            tokens.append(token)
            tags.append(tag)
        position += 1
    return tokens, tags


def batches(examples: list[Encoded], size: int, shuffle: random.Random | None) -> Iterator[list[Encoded]]:
    """Batches of about equal length: shuffled, sorted by length within pools of 50 batches, shuffled again."""
    order = list(range(len(examples)))
    if shuffle is None:
        order.sort(key=lambda index: max(examples[index].rows))
        groups = [order[start : start + size] for start in range(0, len(order), size)]
    else:
        shuffle.shuffle(order)
        groups = []
        for start in range(0, len(order), 50 * size):
            pool = sorted(order[start : start + 50 * size], key=lambda index: max(examples[index].rows))
            groups += [pool[at : at + size] for at in range(0, len(pool), size)]
        shuffle.shuffle(groups)
    for group in groups:
        yield [examples[index] for index in group]
