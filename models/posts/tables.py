"""Tables of posts: CSV and its relatives, with a header that has the columns `id` and `text`."""

import csv
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

import orjson

from models.core.errors import UnreadableFile
from models.posts.lines import MAX_LINE, Line

DELIMITERS = (",", "\t", ";", "|")
NEEDED = {"id", "text"}
"""Columns that a table of posts has. Their cells are never read as JSON."""


def table_header(line: bytes) -> tuple[str, list[str]] | None:
    """(delimiter, names of the columns in lower case) if `line` is the header of a table of posts."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([text], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        names = [name.strip().lower() for name in names]
        if set(names) >= NEEDED:
            return delimiter, names
    return None


def read_rows(stream: BinaryIO, delimiter: str, names: list[str]) -> Iterator[Line]:
    """The rows after the header, each as a JSON object without empty cells. Raises UnreadableFile for a broken row."""
    csv.field_size_limit(MAX_LINE)
    rows = csv.reader(_decoded(stream), delimiter=delimiter, strict=True)
    number = 0
    while True:
        try:
            cells = next(rows, None)
            if cells is None:
                return
            if any(cells):
                data = _object(names, cells)
        except (csv.Error, ValueError) as error:
            raise UnreadableFile(f"row {number + 1}: {error}") from None
        if any(cells):
            number += 1
            yield Line(number, data, unit="row")


def _decoded(stream: BinaryIO) -> Iterator[str]:
    while line := stream.readline(MAX_LINE):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"invalid UTF-8 at byte {error.start}; convert the file to UTF-8") from None


def _object(names: list[str], cells: list[str]) -> bytes:
    """Raises ValueError."""
    if any(cells[len(names) :]):
        raise ValueError(
            f"{len(cells)} cells, but the header has {len(names)}; quote cells that contain a delimiter"
        )
    filled = chain(cells, [""] * (len(names) - len(cells)))
    given = {
        name: _cell(name, cell) for name, cell in zip(names, filled, strict=False) if cell or name == "text"
    }
    return orjson.dumps(given)


def _cell(name: str, cell: str) -> Any:
    """A list or an object that was written as JSON into a cell is read as such."""
    if name in NEEDED or cell[:1] not in ("[", "{"):
        return cell
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
