"""JSON values that are not one per line: items of an array, and objects one after the other, over any number of lines.

Values are cut out as bytes and not decoded, so that they can be sent as they are, and one that is invalid costs itself
only. Libraries that read JSON in parts, such as ijson, return decoded values.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from models.core.errors import UnreadableFile
from models.posts.lines import MAX_LINE, Line

CHUNK = 2**20
"""Bytes that are read at a time, at most."""
_TOKEN = re.compile(rb'"(?:[^"\\\n]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)
"""What matters for finding the end of a value: whole strings, brackets, and the beginning of a string that goes on."""
_STRING = re.compile(rb'"(?:[^"\\\n]++|\\.)*+"', re.DOTALL)
_FLAT = re.compile(rb'\{(?:[^{}\[\]"]++|"(?:[^"\\\n]++|\\.)*+")*+\}', re.DOTALL)
"""An object without others in it, as most posts are: found in one step."""
_NOT_BLANK = re.compile(rb"[^ \t\r\n\x1e]")
"""Between values; the last one separates them in RFC 7464."""
_NOT_BETWEEN_OBJECTS = re.compile(rb"[^ \t\r\n\x1e,]")
_SCALAR_END = re.compile(rb"[,\]}\s]")


class JsonScanner:
    """Cuts values out of a stream, of which `begun` was read before."""

    def __init__(self, begun: bytes, stream: BinaryIO) -> None:
        self._buffer, self._stream = begun, stream
        self._place = 0

    @property
    def rest(self) -> bytes:
        """What was read of the stream and not cut out."""
        return self._buffer[self._place :]

    def next_byte(self, wanted: re.Pattern[bytes] = _NOT_BLANK) -> bytes:
        """The next byte that is not blank, which is not cut out; empty at the end."""
        while not (found := wanted.search(self._buffer, self._place)):
            self._place = len(self._buffer)
            if not self._more():
                return b""
        self._place = found.start()
        return found[0]

    def skip(self) -> None:
        """Leave out one byte."""
        self._place += 1

    def put_back(self, value: bytes) -> None:
        """Undo the cutting of `value`, the last one that was cut out."""
        self._place -= len(value)

    def value(self) -> bytes:
        """Cut out the value that begins at the next byte. Raises UnreadableFile if it has no end."""
        if flat := _FLAT.match(self._buffer, self._place):
            self._place = flat.end()
            return flat[0]
        start = self._buffer[self._place : self._place + 1]
        size = self._bracket_size() if start in (b"{", b"[") else self._scalar_size()
        found = self._buffer[self._place : self._place + size]
        self._place += size
        return found

    def _bracket_size(self) -> int:
        depth = scanned = 0
        while True:
            for token in _TOKEN.finditer(self._buffer, self._place + scanned):
                found = token[0]
                if found == b'"':
                    break
                scanned = token.end() - self._place
                if found in b"{[":
                    depth += 1
                elif found in b"}]":
                    depth -= 1
                    if not depth:
                        return scanned
            self._check_string(self._place + scanned)
            if not self._more():
                raise UnreadableFile("it ends inside a JSON object: the file is truncated")

    def _check_string(self, place: int) -> None:
        """A string that has no end in the buffer must not contain a line end."""
        start = self._buffer.find(b'"', place)
        if start >= 0 and self._buffer.find(b"\n", start) >= 0:
            raise UnreadableFile("a JSON string contains a line end")

    def _scalar_size(self) -> int:
        while True:
            if string := _STRING.match(self._buffer, self._place):
                return len(string[0])
            if self._buffer[self._place : self._place + 1] != b'"' and (
                stop := _SCALAR_END.search(self._buffer, self._place + 1)
            ):
                return stop.start() - self._place
            if not self._more():
                return len(self._buffer) - self._place

    def _more(self) -> bool:
        """Read on; whether there was more."""
        self._buffer, self._place = self._buffer[self._place :], 0
        if len(self._buffer) > MAX_LINE:
            raise UnreadableFile(f"a value has more than {MAX_LINE} bytes")
        chunk = self._stream.read1(CHUNK)  # type: ignore[attr-defined]  # every buffered stream has it
        self._buffer += chunk
        return bool(chunk)


def read_objects(scanner: JsonScanner) -> Iterator[Line]:
    """Objects one after the other, with blanks or commas between them or without."""
    number = 0
    while (first := scanner.next_byte(_NOT_BETWEEN_OBJECTS)) == b"{":
        number += 1
        yield _item(number, scanner)
    if first:
        raise UnreadableFile(f"item {number + 1} is not a JSON object: {scanner.rest[:20]!r}")


def read_array(scanner: JsonScanner) -> Iterator[Line]:
    """The items of an array, or of several one after the other."""
    number = 0
    while (first := scanner.next_byte()) == b"[":
        scanner.skip()
        while scanner.next_byte() not in (b"]", b""):
            number += 1
            yield _item(number, scanner)
            if (after := scanner.next_byte()) == b",":
                scanner.skip()
            elif after not in (b"]", b""):
                raise UnreadableFile(f"item {number} of the array is not followed by a comma or ]")
        if not scanner.next_byte():
            raise UnreadableFile("the array has no end: the file is truncated")
        scanner.skip()
    if first:
        raise UnreadableFile(f"unexpected data after the end of the array: {scanner.rest[:20]!r}")


def _item(number: int, scanner: JsonScanner) -> Line:
    try:
        return Line(number, scanner.value(), unit="item")
    except UnreadableFile as error:
        raise UnreadableFile(f"item {number}: {error}") from None
