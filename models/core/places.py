"""Where things are: in a checkout below it, for an installed package in the package and the user's data folder."""

import os
from pathlib import Path

from models.core.errors import TrimodError

MODELS = Path(__file__).resolve().parents[1]
"""The folder of the package `models`."""


def _repository(folder: Path) -> Path | None:
    checkout = (folder / "pyproject.toml").is_file() and (folder / "deploy" / "checkpoints").is_dir()
    return folder if checkout else None


REPOSITORY = _repository(MODELS.parent)
"""The checkout that the code runs from; None for a package that was installed from a wheel."""


def _data_home() -> Path:
    """By the XDG base directory specification, which ignores relative paths."""
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    try:
        return given.resolve() if given.is_absolute() else Path.home().resolve() / ".local" / "share"
    except RuntimeError:  # a user without a home
        return Path.cwd()


DATA = REPOSITORY / ".local" if REPOSITORY else _data_home() / "trimod-stream"
"""Folder of what is written on this machine unless told otherwise."""


def in_repository(path: str, what: str) -> Path:
    """`path` below the checkout. Raises TrimodError, which says that `what` needs one, where there is none."""
    if REPOSITORY is None:
        raise TrimodError(f"{what} needs the repository ({path}): run trimod from a checkout of it")
    return REPOSITORY / path
