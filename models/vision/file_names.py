"""Finds a file whose name has another Unicode form: macOS writes decomposed names (NFD), most posts composed ones."""

import unicodedata
from pathlib import Path


def existing(path: Path) -> Path:
    """`path`, or the file that is there under the composed (NFC) or decomposed (NFD) form of any of its parts."""
    if path.exists():
        return path
    found = Path()
    for part in path.parts:
        forms = dict.fromkeys((part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part)))
        found = next((each for form in forms if (each := found / form).exists()), found / part)
    return found
