"""Compressed files of posts: gzip, bzip2, xz and Zstandard, each also in several members."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import zstandard

from models.core.errors import UnreadableFile, one_line
from models.posts.hints import magic

ZSTD_CHUNK = 512
"""Compressed bytes that are decompressed at a time: they can expand to 16 MiB, and not more."""


class _ZstandardReader(io.RawIOBase):
    """Decompresses frames one after the other. zstandard's own reader ends a truncated frame without an error."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._rest = self._out = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview[int]") -> int:  # type: ignore[override]
        while not self._out:
            chunk = self._rest or self._stream.read(ZSTD_CHUNK)
            self._rest = b""
            if not chunk and self._frame is None:
                return 0
            if not chunk:
                raise EOFError("the last frame is incomplete")
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._out = self._frame.decompress(chunk)
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._out))
        buffer[:size], self._out = self._out[:size], self._out[size:]
        return size


def _gzip(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream))


def _bzip2(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, bz2.BZ2File(stream))


def _xz(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, lzma.LZMAFile(stream))


def _zstandard(stream: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_ZstandardReader(stream), 2**16)


OPENERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "gzip data": _gzip,
    "bzip2 data": _bzip2,
    "xz data": _xz,
    "Zstandard data": _zstandard,
}
"""A format, as models/posts/hints.py calls it -> what opens it."""


def decompressed(stream: BinaryIO, head: bytes) -> BinaryIO | None:
    """What is in the compressed `stream`, which begins with `head`; None if it is not compressed."""
    opener = OPENERS.get(magic(head))
    return opener(stream) if opener else None


@contextmanager
def damage_reported(name: str) -> Iterator[None]:
    """Raises UnreadableFile for what the decompressors raise about damaged data."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise UnreadableFile(
            f"{name}: the compressed data are damaged or truncated: {one_line(error)}"
        ) from None
    except OSError as error:
        if error.errno is not None:
            raise UnreadableFile(f"cannot read {name}: {error.strerror}") from None
        raise UnreadableFile(f"{name}: the compressed data are damaged: {one_line(error)}") from None
