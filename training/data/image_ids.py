"""Ids of images in data sets: `17_06_7`, or the name of the file, `17_06_7.jpg`."""

ENDINGS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".webp", ".gif", ".avif")
"""Of image files, in the order in which they are tried."""


def has_ending(name: str) -> bool:
    """Whether an image id is the name of a file."""
    return name.lower().endswith(ENDINGS)


def without_ending(name: str) -> str:
    """An image id without the ending of its file: `17_06_7` of `17_06_7.jpg`. Other dots belong to the id."""
    return name.rpartition(".")[0] if has_ending(name) else name
