"""Lossless compression of tensors into one stream, which is itself a tensor of bytes.

xz is used for tables of words and counts, which shrink to a third. Huffman coding alone (zlib, RFC 1950 and 1951) is
used for quantized weights (models/checkpoints/quantization.py), which take a byte each before. They contain no
repetitions: xz would take a hundred times as long and leave them 7 % larger. Unquantized weights hardly shrink.
Decompression stops at a limit, as protection against streams made to expand endlessly."""

import lzma
import zlib
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

MOST = 1 << 30
"""Maximum bytes of a decompressed stream: ten times the largest one so far."""
XZ = b"\xfd7zXZ\0"
"""The first bytes of an xz stream."""


def compressed(tensors: Mapping[str, Tensor], repeats: bool = True) -> Tensor:
    """`tensors` by name as a compressed stream in safetensors format, uint8 [bytes].

    repeats: whether the data has repetitions, as words do; otherwise only Huffman coding is used.
    """
    plain = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    if repeats:
        stream = lzma.compress(plain)
    else:
        writer = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
        stream = writer.compress(plain) + writer.flush()
    return torch.frombuffer(bytearray(stream), dtype=torch.uint8)


def restored(stream: Tensor) -> dict[str, Tensor]:
    """The inverse of `compressed`. Raises ValueError for any other input, or if the result exceeds MOST bytes."""
    written = stream.to(torch.uint8).numpy().tobytes()
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ) if written.startswith(XZ) else zlib.decompressobj()
    try:
        found = reader.decompress(written, MOST)
        if not reader.eof:
            raise ValueError(f"the compressed stream is cut short or has more than {MOST:,} bytes")
        return load(found)
    except (lzma.LZMAError, zlib.error, SafetensorError) as error:
        raise ValueError(f"not compressed tensors: {error}") from None
