"""Tensors in fewer bytes without loss: as one compressed stream, which is itself a tensor of bytes.

By xz for tables of words and counts, which shrink to a third. By Huffman's code alone (zlib's, RFC 1950 and 1951) for
weights in few bits (models/checkpoints/quantization.py), which take a byte each before: nothing in them comes again, so
that xz's search for it would take them a hundred times as long and leave them 7 % larger. Trained weights as they are
hardly shrink. What may have been made to swell without end is read up to a limit."""

import lzma
import zlib
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

MOST = 1 << 30
"""Bytes that a stream may hold, ten times what the largest one at hand does."""


XZ = b"\xfd7zXZ\0"
"""What such a stream begins with."""


def compressed(tensors: Mapping[str, Tensor], repeats: bool = True) -> Tensor:
    """`tensors` by name as a stream of the safetensors format, uint8 [bytes].

    repeats: whether parts of them come again, as words do; else each byte is coded by how frequent it is.
    """
    plain = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    if repeats:
        stream = lzma.compress(plain)
    else:
        writer = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
        stream = writer.compress(plain) + writer.flush()
    return torch.frombuffer(bytearray(stream), dtype=torch.uint8)


def restored(stream: Tensor) -> dict[str, Tensor]:
    """What `compressed` was given. Raises ValueError for anything else, or if it is more than MOST bytes."""
    written = stream.to(torch.uint8).numpy().tobytes()
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ) if written.startswith(XZ) else zlib.decompressobj()
    try:
        found = reader.decompress(written, MOST)
        if not reader.eof:
            raise ValueError(f"the compressed stream is cut short or has more than {MOST:,} bytes")
        return load(found)
    except (lzma.LZMAError, zlib.error, SafetensorError) as error:
        raise ValueError(f"not compressed tensors: {error}") from None
