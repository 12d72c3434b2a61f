"""The pointer file: it contains the path of the checkpoint in use, so that running workers can switch.

`trimod checkpoint promote` writes it atomically. Wherever a checkpoint directory is expected, a pointer is accepted.
It has one line: a path, absolute or relative to the pointer's directory. Workers watch it in
stream/worker/model_switch.py.
"""

from pathlib import Path

from models import DEFAULT_CHECKPOINT, DEFAULT_POINTER
from models.core.errors import CheckpointError

LONGEST = 4096
"""Maximum bytes of a pointer file."""


def resolve(path: Path) -> Path:
    """The checkpoint directory that `path` is or points to. Raises CheckpointError if it is neither.

    Until a checkpoint is promoted, the default pointer points to the shipped checkpoint.
    """
    if path.is_dir():
        # Otherwise its files would be taken for a checkpoint's, and rejected as pickles.
        if (path / "last.pt").exists():
            raise CheckpointError(f"{path} is a training run: its checkpoint is {path / 'checkpoint'}")
        return path
    if not path.exists() and path.resolve() == DEFAULT_POINTER:
        return DEFAULT_CHECKPOINT
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST + 1).decode("utf-8")
    except FileNotFoundError:
        raise CheckpointError(f"no checkpoint at {path}: neither a directory nor a pointer file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"pointer file {path} cannot be read: {error}") from None
    lines = text.splitlines()
    if len(lines) != 1 or not lines[0].strip() or len(text) > LONGEST or "\0" in text:
        raise CheckpointError(f"{path} is not a pointer file: expected one line, the path of a checkpoint")
    directory = path.parent / lines[0].strip()
    if not directory.is_dir():
        raise CheckpointError(f"pointer file {path} points to {directory}, which is not a directory")
    return directory
