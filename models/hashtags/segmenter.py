"""Hashtag segmenter: `TorontoMapleLeafs` -> `Toronto Maple Leafs`, `thexfiles` -> `the x files`.

TriMod, sections IV-C and IV-D: character embeddings (eq. 9), a CNN and a BiLSTM over them, and a decoder that
gives each character the probability of a space after it, P(s_i | h, c_i) (eq. 10).

Deviations: a character is embedded as its letter and its case, since CamelCase is the strongest sign of a word's end.
The letters' skip-gram vectors only initialize their table, which is trained further. Characters are never corrected,
only spaced. The result is not each P(s_i) > 0.5 separately, but the best segmentation by a log-linear model of these
probabilities, word frequencies, word pairs and case (models/hashtags/lexicon.py), which the network alone is too small
to memorize. A ranker corrects it (models/hashtags/ranker.py). No files are read: characters are part of the
configuration, the lexicon is part of the weights. Trained by training/hashtags/trainer.py."""

import threading
import unicodedata
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from cachetools import LRUCache
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.hashtags.lexicon import Lexicon, LexiconConfig
from models.hashtags.lexicon_storage import empty, no_collection, unpack
from models.hashtags.ranker import Ranker

PADDING = 0
UNKNOWN_LETTER, UNKNOWN_DIGIT, UNKNOWN_OTHER = 1, 2, 3
FIRST_KNOWN = 4
NO_CASE, LOWER, UPPER, DIGIT, OTHER = 1, 2, 3, 4, 5
CASES = 6


@dataclass(frozen=True)
class SegmenterConfig:
    """Sizes of the network and its characters.

    characters: lower-case characters with their own embedding; all others share one per kind (letter, digit,
    other). kernels: widths of the convolutions, odd, so that each is centred on its character; `channels` filters
    of each. max_length: characters that the network reads; the rest of a longer hashtag is split by case alone.
    ranker: hidden units of the network that ranks the lexicon's best segmentations; 0: no ranker.
    """

    characters: str = "abcdefghijklmnopqrstuvwxyz0123456789"
    char_dim: int = 40
    case_dim: int = 8
    kernels: tuple[int, ...] = (3, 5, 7)
    channels: int = 64
    hidden: int = 128
    decoder: int = 64
    dropout: float = 0.2
    max_length: int = 140
    batch_size: int = 256
    memo: int = 50_000
    lexicon: LexiconConfig = field(default_factory=LexiconConfig)
    ranker: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.lexicon, dict):  # as read from JSON
            object.__setattr__(self, "lexicon", LexiconConfig(**self.lexicon))
        object.__setattr__(self, "kernels", tuple(self.kernels))
        if not self.kernels or any(width % 2 == 0 for width in self.kernels):
            raise ValueError(f"kernels must have odd widths, got {self.kernels}")


class Segmenter(nn.Module):
    """Characters -> CNN -> BiLSTM -> log odds of a space after each. `segment` works on strings."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config
        self._index = {char: FIRST_KNOWN + i for i, char in enumerate(config.characters)}
        width = config.char_dim + config.case_dim
        self.chars = nn.Embedding(FIRST_KNOWN + len(config.characters), config.char_dim, padding_idx=PADDING)
        self.cases = nn.Embedding(CASES, config.case_dim, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, config.channels, kernel, padding=kernel // 2) for kernel in config.kernels
        )
        self.lstm = nn.LSTM(
            len(config.kernels) * config.channels, config.hidden, batch_first=True, bidirectional=True
        )
        self.decoder = nn.Sequential(
            nn.Linear(2 * config.hidden + width, config.decoder), nn.ReLU(), nn.Linear(config.decoder, 1)
        )
        self.dropout = nn.Dropout(config.dropout)
        for name, tensor in empty(config.lexicon).items():
            self.register_buffer(f"lexicon_{name}", tensor)
        self.ranker = Ranker(config.ranker) if config.ranker else None
        self._lexicon: Lexicon | None = None
        self._memo: LRUCache[str, str] = LRUCache(config.memo)
        self._memo_lock = threading.Lock()
        self.register_load_state_dict_post_hook(lambda *_: self._loaded())  # type: ignore[no-untyped-call]

    def forward(self, chars: Tensor, cases: Tensor, lengths: Tensor) -> Tensor:
        """Logits [batch, length] of a space after each character.

        chars, cases: int64 [batch, length], 0 beyond each row's length; lengths: int64 [batch] on the CPU, >=
        1. A row's logits do not depend on other rows: padding is zero in convolutions and ignored by the LSTM.
        """
        embedded = self.dropout(torch.cat([self.chars(chars), self.cases(cases)], dim=-1))  # (9)
        columns = embedded.transpose(1, 2)
        convolved = torch.cat([torch.relu(conv(columns)) for conv in self.convolutions], dim=1)
        packed = pack_padded_sequence(
            self.dropout(convolved.transpose(1, 2)), lengths, batch_first=True, enforce_sorted=False
        )
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=chars.shape[1])
        logits: Tensor = self.decoder(torch.cat([self.dropout(hidden), embedded], dim=-1))  # (10)
        return logits.squeeze(-1)

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """The inputs of `forward` for non-empty strings, on the CPU."""
        lengths = torch.tensor([len(text) for text in texts])
        chars = torch.zeros(len(texts), int(lengths.max()), dtype=torch.long)
        cases = torch.zeros_like(chars)
        for row, text in enumerate(texts):
            chars[row, : len(text)] = torch.tensor([self._char(char) for char in text])
            cases[row, : len(text)] = torch.tensor([_case(char) for char in text])
        return chars, cases, lengths

    @property
    def remembered(self) -> int:
        """Number of hashtags whose words are cached."""
        return len(self._memo)

    def segment(self, hashtags: Sequence[str]) -> list[str]:
        """The words of each hashtag (without its `#`), with single spaces between them.

        Nothing else changes; underscores and white space count as spaces. In eval mode only.
        """
        if self.training:
            raise RuntimeError("Segmenter.segment would be random in training mode: call eval() first")
        parts = [hashtag.replace("_", " ").split() for hashtag in hashtags]
        words = self._segment_parts({part for row in parts for part in row})
        return [" ".join(words[part] for part in row) for row in parts]

    def train(self, mode: bool = True) -> "Segmenter":
        """Like any module's; also clears the cache, which came from other weights."""
        self._forget()
        super().train(mode)
        return self

    def _segment_parts(self, parts: Set[str]) -> dict[str, str]:
        """The spaced form of each part; posts repeat hashtags, so the last `memo` answers are kept."""
        with self._memo_lock:
            answers = {part: self._memo[part] for part in parts if part in self._memo}
        fresh = sorted((part for part in parts if part not in answers), key=lambda part: (len(part), part))
        for start in range(0, len(fresh), self.config.batch_size):
            batch = fresh[start : start + self.config.batch_size]
            answers.update(zip(batch, self._segment_batch(batch), strict=True))
        self._remember({part: answers[part] for part in fresh})
        return answers

    @torch.inference_mode()
    def odds(self, parts: Sequence[str]) -> list[list[float]]:
        """The network's log odds of a space after each character, up to max_length, of non-empty strings."""
        limit = self.config.max_length
        chars, cases, lengths = self.encode([part[:limit] for part in parts])
        device = self.chars.weight.device
        rows: list[list[float]] = self(chars.to(device), cases.to(device), lengths).tolist()
        return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]

    def _segment_batch(self, parts: Sequence[str]) -> list[str]:
        return [
            _spaced(part, self._spaces(part, row)) for part, row in zip(parts, self.odds(parts), strict=True)
        ]

    def _spaces(self, part: str, odds: Sequence[float]) -> list[bool]:
        """Whether a space follows each character of `part`, given the network's log odds for its head."""
        limit = self.config.max_length
        spaces = self._cut(part[:limit], odds)
        return spaces if len(part) <= limit else spaces[:-1] + _case_boundaries(part[limit - 1 :])

    def _cut(self, text: str, odds: Sequence[float]) -> list[bool]:
        if self._lexicon is None:
            return [value > 0 for value in odds]
        return self.ranker.cut(self._lexicon, text, odds) if self.ranker else self._lexicon.cut(text, odds)

    def _remember(self, answers: dict[str, str]) -> None:
        if self.config.memo:  # a memo of size 0 raises an error
            with self._memo_lock:
                self._memo.update(answers)

    def _loaded(self) -> None:
        """After load_state_dict: read the lexicon's words from its tensors, and clear the cache."""
        if self.config.lexicon.words:
            packed = {name: self.get_buffer(f"lexicon_{name}") for name in empty(self.config.lexicon)}
            with no_collection():
                self._lexicon = Lexicon(*unpack(packed), self.config.lexicon)
        self._forget()

    def _forget(self) -> None:
        with self._memo_lock:
            self._memo.clear()

    def _char(self, char: str) -> int:
        base = unicodedata.normalize("NFKD", char)[0].lower()[0]  # é counts as e, a full-width Ａ as a
        if base in self._index:
            return self._index[base]
        if base.isalpha():
            return UNKNOWN_LETTER
        return UNKNOWN_DIGIT if base.isdigit() else UNKNOWN_OTHER


def _case(char: str) -> int:
    if char.isupper() or char.istitle():
        return UPPER
    if char.islower():
        return LOWER
    if char.isdigit():
        return DIGIT
    return NO_CASE if char.isalpha() else OTHER


def _case_boundaries(text: str) -> list[bool]:
    """Flags a space before a capital that follows another kind of character, as in `fooBar`.

    Returns one flag per character; the last is False.
    """
    ends = [not before.isupper() and after.isupper() for before, after in pairwise(text)]
    return [*ends, False] if text else []


def _spaced(text: str, spaces: Sequence[bool]) -> str:
    """`text` with a space after each flagged character, but not at its end or before its own marks."""
    pieces = []
    for i, char in enumerate(text):
        pieces.append(char)
        if spaces[i] and i + 1 < len(text) and not _joins(char, text[i + 1]):
            pieces.append(" ")
    return "".join(pieces)


def _joins(before: str, after: str) -> bool:
    """Combining marks and format characters (as in emoji) join the characters around them."""
    return unicodedata.category(after) in {"Mn", "Mc", "Me", "Cf"} or before == "\u200d"
