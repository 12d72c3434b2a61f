"""Posts as arrays, and arrays as one padded batch of tensors. Knows the shapes that TriMod reads, and no model.

A batch of B posts of at most n tokens has one row per *view* in its word pieces: each post's text, and beside it the
text with the words about its image, and the text with its hashtags' words, where it has those.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor


@dataclass(slots=True)
class Encoded:
    """One post (or one window of a long one) as ids; n tokens, of which token i starts at piece `first_piece[i]`."""

    words: list[int]
    """[n] ids in the word table."""
    characters: list[list[int]]
    """n lists of 1 to `max_characters` character ids."""
    pieces: list[list[int]]
    """One list of word-piece ids per view that the post has, with its special tokens."""
    views: list[int]
    """The view (index into VIEWS) of each list of pieces; the first is the text's."""
    segment_start: int
    """Pieces before the second segment: `[CLS] text [SEP]`."""
    first_piece: list[int]
    image_words: list[int] = field(default_factory=list)
    hashtag_words: list[int] = field(default_factory=list)
    pooled: Tensor | None = None
    """Mean pooled image features [1280], where the post has images."""
    tags: list[int] | None = None

    @property
    def rows(self) -> list[int]:
        """Length of each row that the encoder will see, in pieces (in tokens where there are none)."""
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
    """[B] int64, on the CPU always (packing wants it there)."""
    present: Tensor
    """[3, B] bool: which views a post has."""
    image_words: Tensor
    """[B, k] int64, 0 on padding; k >= 1."""
    hashtag_words: Tensor
    pieces: Tensor
    """[R, m] int64; R = 0 without a transformer."""
    pieces_mask: Tensor
    pieces_segment: Tensor
    first_piece: Tensor
    """[B, n] int64: column of each token's first piece in its rows."""
    row_post: Tensor
    """[R] int64: the post of each row."""
    row_view: Tensor
    pooled: Tensor
    """[B, 1280] float32, zeros where there is no image."""
    has_pooled: Tensor
    """[B] bool."""
    tags: Tensor | None = None
    """[B, n] int64, 0 on padding."""

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; from pinned memory without waiting where that is CUDA."""
        if device.type == "cpu":
            return self
        moved = {}
        for item in fields(self):
            value = getattr(self, item.name)
            move = isinstance(value, Tensor) and item.name != "lengths"
            moved[item.name] = value.pin_memory().to(device, non_blocking=True) if move else value
        return Batch(**moved)


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """[rows, longest] int64, zeros on the right; at least one column."""
    width = max([1, *map(len, rows)])
    padded = np.zeros((len(rows), width), dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)


def collate(posts: Sequence[Encoded], pooled_size: int = 1280) -> Batch:
    """One batch of `posts`, each of at least one token."""
    lengths = torch.tensor([len(post.words) for post in posts])
    rows = [
        (piece, index, view)
        for index, post in enumerate(posts)
        for piece, view in zip(post.pieces, post.views, strict=True)
    ]
    row_post = torch.tensor([index for _, index, _ in rows], dtype=torch.int64)
    row_view = torch.tensor([view for _, _, view in rows], dtype=torch.int64)
    pieces = pad([piece for piece, _, _ in rows])
    columns = torch.arange(pieces.shape[1])
    piece_lengths = torch.tensor([len(piece) for piece, _, _ in rows], dtype=torch.int64)
    piece_mask = columns < piece_lengths.unsqueeze(1)
    starts = torch.tensor([posts[index].segment_start for _, index, _ in rows], dtype=torch.int64)
    present = torch.tensor(
        [[True, bool(post.image_words), bool(post.hashtag_words)] for post in posts], dtype=torch.bool
    ).T.contiguous()
    nothing = torch.zeros(pooled_size)
    return Batch(
        words=pad([post.words for post in posts]),
        characters=pad([token for post in posts for token in post.characters]),
        mask=torch.arange(int(lengths.max())) < lengths.unsqueeze(1),
        lengths=lengths,
        present=present,
        image_words=pad([post.image_words for post in posts]),
        hashtag_words=pad([post.hashtag_words for post in posts]),
        pieces=pieces,
        pieces_mask=piece_mask,
        pieces_segment=(piece_mask & (columns >= starts.unsqueeze(1))).long(),
        first_piece=pad([post.first_piece for post in posts]),
        row_post=row_post,
        row_view=row_view,
        pooled=torch.stack([nothing if post.pooled is None else post.pooled for post in posts]),
        has_pooled=torch.tensor([post.pooled is not None for post in posts]),
        tags=pad([post.tags or [] for post in posts]) if posts[0].tags is not None else None,
    )
