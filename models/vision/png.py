"""Leaves out of a PNG what is not needed to decode it: text and colour profiles."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_NOT_PIXELS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"tIME", b"pHYs", b"sPLT", b"hIST", b"bKGD")


def without_text(data: bytes) -> bytes:
    """The PNG `data` without the chunks that hold text, profiles and hints. The rest is copied, damaged or not."""
    kept, position = [data[: len(SIGNATURE)]], len(SIGNATURE)
    while position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4])
        if data[position + 4 : position + 8] not in _NOT_PIXELS:
            kept.append(data[position:end])
        position = end
    return b"".join(kept)
