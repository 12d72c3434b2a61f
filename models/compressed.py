"""Tensors in fewer bytes without loss: as one xz stream, which is itself a tensor of bytes.

For tables of words and counts, which shrink to a third, and for weights in few bits (models/few_bits.py), which take
a byte each before. Trained weights as they are hardly shrink. Reading a stream of 4 MB takes under half a second. What
may have been made to swell without end is read up to a limit.
"""

import lzma
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

MOST = 1 << 30
"""Bytes that a stream may hold, a hundred times what the largest one at hand does."""


def compressed(tensors: Mapping[str, Tensor]) -> Tensor:
    """`tensors` by name as an xz stream of the safetensors format, uint8 [bytes]."""
    stream = lzma.compress(save({name: tensor.contiguous() for name, tensor in tensors.items()}))
    return torch.frombuffer(bytearray(stream), dtype=torch.uint8)


def restored(stream: Tensor) -> dict[str, Tensor]:
    """What `compressed` was given. Raises ValueError for anything else, or if it is more than MOST bytes."""
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        found = reader.decompress(stream.to(torch.uint8).numpy().tobytes(), MOST)
        if not reader.eof:
            raise ValueError(f"a stream that is cut short, or of more than {MOST:,} bytes")
        return load(found)
    except (lzma.LZMAError, SafetensorError) as error:
        raise ValueError(f"no compressed tensors: {error}") from None
