"""Every error this project raises on purpose, from the root.

TrimodError                 printed by `trimod` as one line; exits with `exit_code`
|-- CheckpointError         a checkpoint is missing, damaged, unsafe or of another format
|-- BadPost                 JSON that is no post; the message names the field
|-- BrokenImage             bytes that are no picture we can (or want to) decode; the post goes on without
`-- PretrainedError         a pretrained part that the configuration names is not to be had
(stream/errors.py and training/errors.py add their own below TrimodError)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


class TrimodError(Exception):
    """The root: its message is written for the person who reads it, in one line."""

    exit_code = 1


class CheckpointError(TrimodError):
    """A checkpoint that cannot be trusted or read; the message says which file and why."""


class BadPost(TrimodError):
    """JSON that is no post; the message names the field."""


class BrokenImage(TrimodError):
    """An image that cannot be decoded; normal input: the post is tagged without it, and it is counted."""


class PretrainedError(TrimodError):
    """A pretrained part (text encoder, CNN) that is named but not installed or readable."""


def one_line(error: BaseException) -> str:
    """What a library's error says, without its line breaks; its class where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def explain(error: "ValidationError", noun: str, detail: "Callable[[str, ErrorDetails], str]") -> str:
    """What pydantic found, in one line; `detail` words a bad value, given its name such as `images[0].url`."""
    return "; ".join(_one(each, noun, detail) for each in error.errors())


def _one(error: "ErrorDetails", noun: str, detail: "Callable[[str, ErrorDetails], str]") -> str:
    name = ""
    for part in error["loc"]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    if error["type"] == "extra_forbidden":
        return f"unknown {noun} '{name}'"
    return f"{noun} '{name}' is missing" if error["type"] == "missing" else detail(name, error)
