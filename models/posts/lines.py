"""Lines of a file of posts, bounded in size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Of UTF-8. It is also inside files that were joined."""
MAX_LINE = 32 * 2**20
"""Bytes of one post in a file. Of a longer line the rest is skipped; the posts topic takes a quarter of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One post of the input: its bytes without blanks around them, and whether they were cut short."""

    number: int
    """From 1. It is also the cursor: `unit` says what is counted."""
    data: bytes
    cut: bool = False
    unit: str = "line"
    """`line`, `item` of a JSON array or of concatenated objects, or `row` of a table."""

    @property
    def name(self) -> str:
        """`line 7`."""
        return f"{self.unit} {self.number}"


def read_lines(stream: BinaryIO, number: int = 0) -> Iterator[Line]:
    """The lines that are not blank, each as soon as it is there; never more than MAX_LINE bytes of one.

    number: that of the last line that was read before.
    """
    while data := stream.readline(MAX_LINE):
        number += 1
        cut = len(data) == MAX_LINE and not data.endswith(b"\n")
        if cut:
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
        if data := data.strip().removeprefix(BYTE_ORDER_MARK):
            yield Line(number, data, cut)
