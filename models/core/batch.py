"""Posts as arrays, and arrays as one padded batch of tensors. Defines the input shapes of models; independent of them.

A batch of B posts of at most n tokens has one or more rows of word pieces per post. Depending on the model's Inputs
(models/core/inputs.py), a row is the text; or the text with image words and hashtag words; or there is one row per
*view*: the text, the text with the image words, and the text with the hashtag words."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pad_sequence


@dataclass(slots=True)
class Encoded:
    """One post (or one window of a long one) as ids; n tokens, of which token i starts at piece `first_piece[i]`."""

    words: list[int]
    """[n] ids in the word table."""
    characters: list[list[int]]
    """n lists of 1 to `max_characters` character ids."""
    pieces: list[list[int]] = field(default_factory=list)
    """One list of word-piece ids per view that the post has, with its special tokens."""
    views: list[int] = field(default_factory=list)
    """The view (index into VIEWS) of each list of pieces; the first is the text."""
    segments: list[list[int]] = field(default_factory=list)
    """For each list of pieces, the source of each piece: 0 text, 1 image words, 2 hashtag words."""
    cases: list[list[int]] = field(default_factory=list)
    """For each list of pieces, the case of each token (CASES in models/text/post_encoder.py)."""
    first_piece: list[int] = field(default_factory=list)
    piece_count: list[int] = field(default_factory=list)
    """[n] number of pieces of each token, from its first piece; at least 1."""
    image_words: list[int] = field(default_factory=list)
    hashtag_words: list[int] = field(default_factory=list)
    part_of_speech: list[int] = field(default_factory=list)
    """[n] ids from 1, or empty if the model does not read them."""
    pooled: Tensor | None = None
    """Mean pooled image features [image size], if the post has images."""
    regions: Tensor | None = None
    """Features of regions of its images [r, image size]."""
    boxes: Tensor | None = None
    """Centre x, centre y, height and width of each region, in shares of the image [r, 4]."""
    region_words: list[int] = field(default_factory=list)
    """[r] ids in the word table of the name of each region, or empty if unknown."""
    other_image: bool = False
    """Whether the image input is another post's (in training)."""
    tags: list[int] | None = None
    possible: Tensor | None = None
    """[n, labels] bool: the labels that each token may have; None if every tag is certain."""
    targets: Tensor | None = None
    """A teacher's P(label) of each token [n, labels]; a batch has them for all of its posts or for none."""
    teacher_share: float = 0.0
    """Weight of the teacher in the loss, relative to the tags."""

    @property
    def rows(self) -> list[int]:
        """Length of each row for the encoder, in pieces (in tokens if there are no pieces)."""
        return [len(row) for row in self.pieces] or [len(self.words)]


@dataclass(slots=True)
class Batch:
    """B posts, at most n tokens each, R >= B rows of word pieces."""

    words: Tensor
    """[B, n] int64, 0 on padding."""
    characters: Tensor
    """[all tokens, characters] int64, 0 on padding; in the order of `mask`'s True."""
    mask: Tensor
    """[B, n] bool, True on tokens."""
    lengths: Tensor
    """[B] int64, always on the CPU, as packing requires."""
    present: Tensor
    """[3, B] bool: which of text, image words and hashtag words a post has."""
    image_words: Tensor
    """[B, k] int64, 0 on padding; k >= 1."""
    hashtag_words: Tensor
    pieces: Tensor
    """[R, m] int64; R = 0 without a transformer."""
    pieces_mask: Tensor
    pieces_segment: Tensor
    pieces_case: Tensor
    first_piece: Tensor
    """[B, n] int64: column of each token's first piece in its rows."""
    piece_count: Tensor
    """[B, n] int64: number of pieces of each token, from its first piece; 0 on padding."""
    row_post: Tensor
    """[R] int64: the post of each row."""
    row_view: Tensor
    part_of_speech: Tensor
    """[B, n] int64, 0 on padding; all 0 if the model does not read them."""
    pooled: Tensor
    """[B, image size] float32, zeros where there is no image."""
    has_pooled: Tensor
    """[B] bool."""
    regions: Tensor
    """[B, r, image size] float32, zeros on padding; r >= 0."""
    boxes: Tensor
    """[B, r, 4] float32."""
    regions_mask: Tensor
    """[B, r] bool, True on regions."""
    region_words: Tensor
    """[B, r] int64, 0 on padding and for regions without a name."""
    other_image: Tensor
    """[B] bool."""
    teacher_share: Tensor
    """[B] float32."""
    tags: Tensor | None = None
    """[B, n] int64, 0 on padding."""
    possible: Tensor | None = None
    """[B, n, labels] bool: the labels that each token may have; None if every tag is certain."""
    targets: Tensor | None = None
    """[B, n, labels] float32, zeros on padding."""

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; for CUDA, copied asynchronously from pinned memory."""
        if device.type == "cpu":
            return self
        moved = {}
        for item in fields(self):
            value = getattr(self, item.name)
            move = isinstance(value, Tensor) and item.name != "lengths"
            moved[item.name] = value.pin_memory().to(device, non_blocking=True) if move else value
        return Batch(**moved)


def pad(rows: Sequence[Sequence[int]], width: int = 1) -> Tensor:
    """[rows, longest] int64, zeros on the right; at least `width` columns."""
    width = max([width, *map(len, rows)])
    padded = np.zeros((len(rows), width), dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)


def collate(posts: Sequence[Encoded], image_size: int = 1280) -> Batch:
    """One batch of `posts`, each of at least one token."""
    lengths = torch.tensor([len(post.words) for post in posts])
    present = [[True, bool(post.image_words), bool(post.hashtag_words)] for post in posts]
    tags = pad([post.tags or [] for post in posts]) if posts[0].tags is not None else None
    return Batch(
        words=pad([post.words for post in posts]),
        characters=pad([token for post in posts for token in post.characters]),
        mask=torch.arange(int(lengths.max())) < lengths.unsqueeze(1),
        lengths=lengths,
        present=torch.tensor(present, dtype=torch.bool).T.contiguous(),
        image_words=pad([post.image_words for post in posts]),
        hashtag_words=pad([post.hashtag_words for post in posts]),
        first_piece=pad([post.first_piece for post in posts]),
        piece_count=pad([post.piece_count for post in posts]),
        part_of_speech=pad([post.part_of_speech for post in posts], width=int(lengths.max())),
        other_image=torch.tensor([post.other_image for post in posts]),
        teacher_share=torch.tensor([post.teacher_share for post in posts]),
        tags=tags,
        possible=_possible(posts),
        targets=_targets(posts),
        **_rows(posts),
        **_pictures(posts, image_size),
    )


def _rows(posts: Sequence[Encoded]) -> dict[str, Tensor]:
    """The word pieces of all posts' rows."""
    rows = [(index, row) for index, post in enumerate(posts) for row in range(len(post.pieces))]
    pieces = pad([posts[index].pieces[row] for index, row in rows])
    lengths = torch.tensor([len(posts[index].pieces[row]) for index, row in rows], dtype=torch.int64)
    return {
        "pieces": pieces,
        "pieces_mask": torch.arange(pieces.shape[1]) < lengths.unsqueeze(1),
        "pieces_segment": pad([posts[index].segments[row] for index, row in rows]),
        "pieces_case": pad([posts[index].cases[row] for index, row in rows]),
        "row_post": torch.tensor([index for index, _ in rows], dtype=torch.int64),
        "row_view": torch.tensor([posts[index].views[row] for index, row in rows], dtype=torch.int64),
    }


def _targets(posts: Sequence[Encoded]) -> Tensor | None:
    found = [post.targets for post in posts if post.targets is not None]
    return pad_sequence(found, batch_first=True) if len(found) == len(posts) else None


def _possible(posts: Sequence[Encoded]) -> Tensor | None:
    """None if the tags of all posts are certain."""
    labels = max((post.possible.shape[1] for post in posts if post.possible is not None), default=0)
    if labels == 0:
        return None
    possible = [
        one_hot(torch.tensor(post.tags), labels).bool() if post.possible is None else post.possible
        for post in posts
    ]
    return pad_sequence(possible, batch_first=True)


def _pictures(posts: Sequence[Encoded], image_size: int) -> dict[str, Tensor]:
    """The image input of all posts."""
    nothing, none = torch.zeros(image_size), torch.zeros(0, image_size)
    regions = [none if post.regions is None else post.regions for post in posts]
    boxes = [
        torch.zeros(len(r), 4) if post.boxes is None else post.boxes
        for post, r in zip(posts, regions, strict=True)
    ]
    counts = torch.tensor([len(each) for each in regions])
    return {
        "pooled": torch.stack([nothing if post.pooled is None else post.pooled for post in posts]),
        "has_pooled": torch.tensor([post.pooled is not None for post in posts]),
        "regions": pad_sequence(regions, batch_first=True).float(),
        "boxes": pad_sequence(boxes, batch_first=True),
        "regions_mask": torch.arange(int(counts.max())) < counts.unsqueeze(1),
        "region_words": pad([post.region_words for post in posts], width=int(counts.max())),
    }
