"""The posts for word vectors, as lower-case tokens, read from text files of several formats.

The format is recognized by content and name: CoNLL files (optionally with the captions of their own posts' images, so a
train.txt brings no caption of a validation image), `posts.jsonl`, Flickr8k's `captions.csv` (its training photographs
only), hashtags with their segmentation (`.tsv`), and plain text with one post per line, read as a stream. Tokens are in
lower case because the models look up words in lower case.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from models.text.tokenizer import tokenize
from training.data.conll import read_conll
from training.errors import DataError

_CONLL = re.compile(r"IMGID:|-DOCSTART-|\S.*[\t ](O|[BI]-\S+)\s*$")
_LINES_TO_TELL = 20
_NO_WORD = re.compile(r"^(https?://|www\.|[@＠].)|[\s\x1c-\x1f\x85]")


@dataclass(frozen=True)
class Corpus:
    """Lists of lower-case tokens, one per post or caption; can be iterated repeatedly."""

    files: Sequence[Path]
    captions: str = ""
    """NAME of captions.NAME.json beside each CoNLL file; empty for none."""

    def __iter__(self) -> Iterator[list[str]]:
        for path in self.files:
            yield from self._posts(path)

    def words(self, least: int) -> list[str]:
        """Words that occur at least `least` times, most frequent first, ties by name. URLs, mentions and tokens with
        white space are excluded; some CoNLL files have the latter, but vector files cannot store them."""
        counts = Counter(token for post in self for token in post if not _NO_WORD.search(token))
        return sorted(
            (word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word)
        )

    def _posts(self, path: Path) -> Iterator[list[str]]:
        if path.suffix == ".jsonl":
            yield from _tokenized(_jsonl(path))
        elif path.suffix == ".csv":
            yield from _flickr8k(path)
        elif path.suffix == ".tsv" and not _is_conll(path):
            yield from (line.lower().split("\t")[-1].split() for line in _lines(path))
        elif _is_conll(path):
            yield from self._conll(path)
        else:
            yield from _tokenized(_lines(path))

    def _conll(self, path: Path) -> Iterator[list[str]]:
        posts = read_conll(path)
        for post in posts:
            yield [token.lower() for token in post.tokens]
        if self.captions and any(post.image_id for post in posts):
            from training.data.datasets import captions_of  # loads the models

            captions = captions_of(posts, path.parent / f"captions.{self.captions}.json")
            images = dict.fromkeys(post.image_id for post in posts)
            yield from _tokenized(captions[image] for image in images if image in captions)


def _tokenized(texts: Iterator[str]) -> Iterator[list[str]]:
    for text in texts:
        if tokens := [token.text for token in tokenize(text.lower())]:
            yield tokens


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            yield from file
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None


def _is_conll(path: Path) -> bool:
    """Whether the first lines that are not blank are all a CoNLL file's."""
    first = list(islice((line for line in _lines(path) if line.strip()), _LINES_TO_TELL))
    return bool(first) and all(_CONLL.match(line) for line in first)


def _jsonl(path: Path) -> Iterator[str]:
    for number, line in enumerate(_lines(path), start=1):
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError):
            raise DataError(f'{path}:{number}: expected a JSON object with a "text" field') from None
        yield str(text)


def _flickr8k(path: Path) -> Iterator[list[str]]:
    from training.captioning.flickr8k import read_photos, split  # loads the CNN's library

    for photo in split(read_photos(path.parent)).train:
        yield from map(list, photo.captions)
