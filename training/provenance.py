"""The origin of a result: its command, hashes of its data, and how its word vectors were made."""

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from training.errors import DataError

Origin = dict[str, str]
"""`sha256` of a file of word vectors, and the `command` that made it, if that was `trimod train vectors`."""


def typed() -> str:
    """The running command, as a user would type it here."""
    return portable(shlex.join(["trimod", *sys.argv[1:]]))


def portable(command: str) -> str:
    """The command with paths relative to the current folder, which hides this machine's paths."""
    return shlex.join(
        os.path.relpath(part) if Path(part).is_absolute() else part for part in shlex.split(command)
    )


def data_hashes(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file, by the names of its folder and file."""
    return {f"{file.parent.name}/{file.name}": sha256_of(file) for file in sorted(files)}


def sha256_of(file: Path) -> str:
    """Raises DataError, naming the file, if it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from None


def sign(vectors: Path) -> None:
    """Write `FILE.json` next to word vectors that the running command has made."""
    origin = {"sha256": sha256_of(vectors), "command": typed()}
    _beside(vectors).write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")


def origins(vectors: Sequence[Path]) -> dict[str, Origin]:
    """By file name; includes the command only if the file beside it describes exactly these vectors."""
    return {path.name: _origin(path) for path in vectors}


def _origin(vectors: Path) -> Origin:
    now = sha256_of(vectors)
    try:
        signed = json.loads(_beside(vectors).read_text(encoding="utf-8"))
        return {"sha256": now, "command": signed["command"]} if signed["sha256"] == now else {"sha256": now}
    except (OSError, ValueError, KeyError, TypeError):
        return {"sha256": now}  # not made by this project


def _beside(vectors: Path) -> Path:
    return vectors.with_name(vectors.name + ".json")
