"""Reads pictures by path, only from below one root directory.

Posts come from strangers, so a path must not lead out of the root: not by `..`, by an absolute path or by a symbolic
link. Used by workers for `{"path"}` images and by `ingest --embed-images`. A name in another Unicode form is the same
name (models/vision/file_names.py).
"""

from pathlib import Path

from models.core.errors import BrokenImage
from models.vision.file_names import existing
from stream.errors import SettingsError
from stream.messages.base import MAX_POST_BYTES

MAX_FILE = 4 * MAX_POST_BYTES
"""Maximum bytes of a file; larger ones are not read."""


def check_root(root: Path | None) -> None:
    """Raise SettingsError unless the setting is unset or an existing directory: otherwise every image is broken."""
    if root is not None and not root.is_dir():
        raise SettingsError(f"bad setting 'worker.images_root': {root} is not a directory")


def find_below(root: Path, path: str) -> Path:
    """The file `path` below `root`. Raises BrokenImage naming the path and the reason."""
    try:
        found = existing(root / path).resolve()
        if not found.is_relative_to(root.resolve()):
            raise BrokenImage(f"image path {path!r} leads out of the images root")
        if not found.is_file():
            raise BrokenImage(f"image {path!r} is not a file below the images root")
        if found.stat().st_size > MAX_FILE:
            raise BrokenImage(f"image {path!r} has more than {MAX_FILE} bytes")
    except (OSError, ValueError, RuntimeError) as error:  # no access; a NUL in the path; a loop of links
        raise BrokenImage(f"image {path!r} cannot be found: {error}") from None
    return found


def read_below(root: Path, path: str) -> bytes:
    """The bytes of the file `path` below `root`. Raises BrokenImage naming the path and the reason."""
    found = find_below(root, path)
    try:
        return found.read_bytes()
    except OSError as error:
        raise BrokenImage(f"image {path!r} cannot be read: {error.strerror}") from None
