"""Word vectors as text files: word2vec's and fastText's (first line `words size`) and GloVe's (no such line).

Files are read line by line, so a file of gigabytes needs memory only for the wanted words. Vectors are made by
training/word_vectors/word2vec.py and training/word_vectors/distilled.py; a model's word table is filled from here."""

import codecs
import gzip
import io
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from training.errors import DataError

Row = npt.NDArray[np.float32]
_BUFFER = 1 << 20


def read_vectors(
    path: Path, vocabulary: Collection[str] | None = None, first: int = 0, console: Console | None = None
) -> tuple[list[str], Tensor]:
    """The words of a file (`.txt`, `.vec`, either with `.gz`) in its order and their vectors, float32 [n, size].

    With `vocabulary`, only its words (lower case, without spaces) and those of the file's `first` lines are read. All
    are in lower case, as the models look them up. If a file that keeps case lacks `riga`, its first word with that
    lower case (`Riga`) is used. A word's first line counts; later ones are ignored. Raises DataError, naming file and
    line.
    """
    if not path.is_file():
        raise DataError(f"no word vectors at {path}: no such file")
    wanted = None if vocabulary is None else frozenset(vocabulary)
    exact: dict[str, Row] = {}
    folded: dict[str, Row] = {}
    lines = _Lines(path, wanted, first, console)
    for word, row in lines:
        if wanted is None or word == word.lower():
            exact.setdefault(word, row)
        else:
            folded.setdefault(word.lower(), row)
    found = exact | {word: row for word, row in folded.items() if word not in exact}
    rows = np.stack(list(found.values())) if found else np.zeros((0, lines.size), np.float32)
    return list(found), torch.from_numpy(rows)


def write_vectors(path: Path, words: Sequence[str], vectors: Tensor) -> None:
    """Write word2vec's text format: words [n], without spaces, and vectors [n, size]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{len(words)} {vectors.shape[1]}\n")
        for word, row in zip(words, vectors.tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{value:.5f}' for value in row)}\n")
    partial.replace(path)  # atomic


class _Lines:
    """(word, vector) of the first lines of a file, and of lines whose word is wanted, unchanged or in lower case."""

    def __init__(
        self, path: Path, wanted: frozenset[str] | None, first: int, console: Console | None
    ) -> None:
        self.path, self.wanted, self.first, self.console = path, wanted, first, console
        self.number = self.size = 0

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with (
            Progress(*columns, console=self.console, disable=self.console is None) as progress,
            progress.open(self.path, "rb", description=self.path.name) as raw,
        ):
            compressed = self.path.suffix == ".gz"
            buffered = io.BufferedReader(cast(io.RawIOBase, raw), _BUFFER)
            try:
                yield from self._rows(
                    cast(IO[bytes], gzip.GzipFile(fileobj=buffered)) if compressed else buffered
                )
            except (OSError, EOFError, zlib.error) as error:
                raise DataError(f"{self.path}: cannot be read past line {self.number}: {error}") from None

    def _rows(self, stream: IO[bytes]) -> Iterator[tuple[str, Row]]:
        promised, words = None, 0
        for self.number, line in enumerate(stream, start=1):
            line = line.rstrip(b" \t\r\n").replace(b"\t", b" ")
            if not line:
                continue
            if not self.size:
                line = line.removeprefix(codecs.BOM_UTF8)
                promised, self.size = self._first(line)
                if promised is not None:
                    continue
            words += 1
            if line.count(b" ") < self.size:
                raise self._error(f"expected {self.size} numbers, got {line.count(b' ')}")
            # Most lines are skipped here. Words with spaces are never wanted; they pass only if their first part is.
            if self._is_wanted(_decoded(line[: line.index(b" ")])):
                word, row = self._parsed(line)
                if self._is_wanted(word):
                    yield word, row
        if not self.size:
            raise DataError(f"{self.path} is empty")
        if promised is not None and promised != words:
            raise DataError(
                f"{self.path}:1: the header says {promised} words, but {words} follow; the file may be damaged"
            )

    def _first(self, line: bytes) -> tuple[int | None, int]:
        """(words or None, size) by the first line: a header of two whole numbers, or the first word's own line."""
        columns = line.split(b" ")
        if len(columns) == 2 and columns[0].isdigit() and columns[1].isdigit() and int(columns[1]):
            return int(columns[0]), int(columns[1])
        if len(columns) < 2:
            raise self._error("expected `words size`, or a word with its vector")
        return None, len(columns) - 1

    def _parsed(self, line: bytes) -> tuple[str, Row]:
        first, *numbers = line.rsplit(b" ", self.size)  # from the right: some files have words with spaces
        word = _decoded(first)
        try:
            row = np.array(numbers, dtype=np.float32)
        except ValueError:
            raise self._error(f"expected numbers after {word!r}") from None
        if not np.isfinite(row).all():
            raise self._error(f"a number after {word!r} is not finite")
        if " " in word and _is_number(word.rsplit(" ", 1)[1]):
            raise self._error(f"expected {self.size} numbers, got more")
        return word, row

    def _is_wanted(self, word: str) -> bool:
        frequent = self.number <= self.first
        return frequent or self.wanted is None or word in self.wanted or word.lower() in self.wanted

    def _error(self, what: str) -> DataError:
        return DataError(f"{self.path}:{self.number}: {what}")


def _decoded(word: bytes) -> str:
    return word.decode("utf-8", "replace")  # large files have a few broken words, which are never wanted


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
