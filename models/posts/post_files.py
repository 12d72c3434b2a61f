"""Files of posts, whatever their format: JSON lines, a JSON array, JSON objects over several lines, and tables, each in
UTF-8 and possibly compressed. Anything else is rejected with the reason.

Only JSON lines can be read without a check, since a broken line costs itself only. Files in the other formats, and
compressed ones, are read twice: first to the end without giving anything out, so that a damaged file is rejected as a
whole. A pipe cannot be read twice: there, the error comes where the damage is. Files are never held in memory.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO, cast

from models.core.errors import BadPost, UnreadableFile
from models.posts.compression import damage_reported, decompressed
from models.posts.hints import envelope_hint, magic
from models.posts.json_stream import JsonScanner, read_array, read_objects
from models.posts.json_values import read_fields
from models.posts.lines import BYTE_ORDER_MARK, MAX_LINE, Line, read_lines
from models.posts.tables import read_rows, table_header

HEAD = 4096
"""Bytes at the beginning by which a format is known."""
CHECKED = 1000
"""Posts between two calls of `checking`."""
FORMATS = "JSON lines, a JSON array, or a table with the columns id and text, in UTF-8"
_ARRAY = re.compile(rb"\[[ \t\r]*(?:[{\]\n]|$)")
_EVENT = re.compile(rb"event: ?[\w.-]+$|data: ?[{\[]|retry: ?\d+$")
_EVENT_FIELD = re.compile(rb"(?:event|data|id|retry)?:")
_EVENT_DATA = re.compile(rb"^data:", re.MULTILINE)
_MARKUP = re.compile(rb"<(?:\?xml|!doctype|!--|[a-z][\w:.-]*(?:\s[^<>]*)?/?>)", re.IGNORECASE)


@dataclass(frozen=True)
class _Posts:
    """The posts of a file, and whether an error can come up in the middle of it."""

    lines: Iterator[Line]
    fragile: bool


def read_posts(
    stream: BinaryIO, name: str, *, plain_text: bool = False, checking: Callable[[], None] = lambda: None
) -> Iterator[Line]:
    """The posts in `stream`, each as bytes of JSON. Raises UnreadableFile; for a file, before it returns.

    name: of the file, for messages. plain_text: lines may also be texts without JSON. checking: called now and then
    while the file is checked.
    """
    start = stream.tell() if stream.seekable() else None
    posts = _opened(stream, name, plain_text)
    if start is not None and posts.fragile:
        for index, _ in enumerate(posts.lines):
            if index % CHECKED == 0:
                checking()
        stream.seek(start)
        posts = _opened(stream, name, plain_text)
    return posts.lines


def _opened(stream: BinaryIO, name: str, plain_text: bool) -> _Posts:
    with damage_reported(name):
        stream = _peekable(stream)
        inner = decompressed(stream, _head(stream))
        try:
            posts = _recognized(inner or stream, plain_text)
        except UnreadableFile as error:
            raise UnreadableFile(f"{name}: {error}") from None
    return _Posts(_reported(posts.lines, name), posts.fragile or inner is not None)


def _reported(lines: Iterator[Line], name: str) -> Iterator[Line]:
    with damage_reported(name):
        try:
            yield from lines
        except UnreadableFile as error:
            raise UnreadableFile(f"{name}: {error}") from None


def _recognized(stream: BinaryIO, plain_text: bool) -> _Posts:
    """The posts of a stream that is not compressed. Raises UnreadableFile without the name of the file."""
    head = _head(stream)
    if head.startswith(BYTE_ORDER_MARK):
        stream.read(len(BYTE_ORDER_MARK))
        head = head[len(BYTE_ORDER_MARK) :]
    if binary := magic(head) or ("binary data" if b"\0" in head.split(b"\n")[0] else ""):
        raise UnreadableFile(
            f"this is {binary}; expected {FORMATS}, also compressed with gzip, bzip2, xz or zstd"
        )
    number, head = _skip_blanks(stream)
    if _ARRAY.match(head):
        return _Posts(_checked(read_array(JsonScanner(b"", stream))), True)
    first = stream.readline(MAX_LINE)
    line = Line(number, first.strip())
    if not line.data:
        return _Posts(iter(()), False)
    if line.data.startswith((b"{", b"\x1e")):
        return _json_objects(line, first, stream, plain_text)
    if table := table_header(line.data):
        return _Posts(read_rows(stream, *table), True)
    if reason := _other_format(line.data, head):
        raise UnreadableFile(f"{reason}; expected {FORMATS}")
    if plain_text:
        return _Posts(read_lines(_joined(first, stream), number - 1), False)
    shown = line.data[:40].decode("utf-8", "backslashreplace")
    raise UnreadableFile(f"{line.name} is neither JSON nor a table header: {shown!r}; expected {FORMATS}")


def _json_objects(line: Line, first: bytes, stream: BinaryIO, plain_text: bool) -> _Posts:
    """One object per line, or objects one after the other over any number of lines.

    first: `line` as it was read, with its line end."""
    if _is_object(line.data):
        return _Posts(_checked(chain([line], read_lines(stream, line.number))), False)
    scanner = JsonScanner(first, stream)
    if _begins_with_object(scanner):
        return _Posts(_checked(read_objects(scanner)), True)
    lines = read_lines(_joined(scanner.rest, stream), line.number - 1)
    begun = list(islice(lines, 2))
    if not plain_text and not any(_is_object(line.data) for line in begun):
        raise UnreadableFile(f"{begun[0].name} is {_reason(begun[0].data)}")
    return _Posts(chain(begun, lines), False)


def _begins_with_object(scanner: JsonScanner) -> bool:
    try:
        scanner.next_byte()
        value = scanner.value()
    except UnreadableFile:
        return False
    scanner.put_back(value)
    return _is_object(value)


def _checked(lines: Iterator[Line]) -> Iterator[Line]:
    """The same lines. Raises UnreadableFile if the first one shows that all of them are something else than posts."""
    first = next(lines, None)
    if first is None:
        return lines
    if first.unit == "item" and not first.data.startswith(b"{"):
        raise UnreadableFile("the items of the array are not objects")
    if not (first.cut or _reason(first.data)):
        fields = read_fields(first.data)
        if "text" not in fields and (hint := envelope_hint(fields)):
            raise UnreadableFile(f"{first.name} is not a post{hint}")
    return chain([first], lines)


def _is_object(data: bytes) -> bool:
    return not _reason(data)


def _reason(data: bytes) -> str:
    """Why the bytes are not a JSON object; empty if they are one."""
    try:
        read_fields(data)
    except BadPost as error:
        return str(error)
    return ""


def _other_format(line: bytes, head: bytes) -> str:
    if _EVENT.match(line) or (_EVENT_FIELD.match(line) and _EVENT_DATA.search(head)):
        return "this is a stream of server-sent events; send the JSON after `data:` only"
    if _MARKUP.match(line):
        return "this is HTML or XML"
    return "" if _is_utf8(line) else "this is binary data or text that is not UTF-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _skip_blanks(stream: BinaryIO) -> tuple[int, bytes]:
    """Number of the first line that is not blank, and its beginning, which is not read yet."""
    number = 1
    while head := _head(stream):
        rest = head.lstrip()
        number += stream.read(len(head) - len(rest)).count(b"\n")
        if rest:
            return number, rest
    return number, b""


def _head(stream: BinaryIO) -> bytes:
    return cast(io.BufferedReader, stream).peek(HEAD)[:HEAD]


def _peekable(stream: BinaryIO) -> BinaryIO:
    """The stream itself, or one over it that does not close it."""
    return stream if hasattr(stream, "peek") else _joined(b"", stream)


def _joined(begun: bytes, stream: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Joined(begun, stream))


class _Joined(io.RawIOBase):
    """Bytes that were read already, then the rest of their stream as it comes."""

    def __init__(self, begun: bytes, stream: BinaryIO) -> None:
        self._begun, self._stream = begun, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview[int]") -> int:  # type: ignore[override]
        chunk = self._begun[: len(buffer)] or self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        self._begun = self._begun[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)
