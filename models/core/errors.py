"""The errors that this project raises on purpose.

TrimodError                 printed by `trimod` as one line; exits with `exit_code`
|-- CheckpointError         a checkpoint is missing, damaged, unsafe or of another format
|-- BadPost                 JSON that is not a post; the message names the field
|-- UnreadableFile          a file of posts that is damaged, or in a format that is not supported
|-- BrokenImage             bytes that are not a supported image; the post is tagged without it
`-- PretrainedError         a pretrained component in the configuration is not available
(stream/errors.py and training/errors.py add their own below TrimodError)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


class TrimodError(Exception):
    """The root class; its message is one line, written for users."""

    exit_code = 1


class CheckpointError(TrimodError):
    """A checkpoint that cannot be trusted or read; the message names the file and the reason."""


class BadPost(TrimodError):
    """JSON that is not a post; the message names the field."""


class UnreadableFile(TrimodError):
    """A file of posts that is damaged or in a format that is not supported; the message says which."""


class BrokenImage(TrimodError):
    """An image that cannot be decoded. This is normal input: it is counted, and the post is tagged without it."""


class PretrainedError(TrimodError):
    """A pretrained component (text encoder, CNN) that is not installed or not readable."""


def one_line(error: BaseException) -> str:
    """A library error's message without line breaks; its class name if the message is empty."""
    return " ".join(str(error).split()) or type(error).__name__


def explain(error: "ValidationError", noun: str, detail: "Callable[[str, ErrorDetails], str]") -> str:
    """pydantic's errors in one line; `detail` describes an invalid value, given its name such as `images[0].url`."""
    return "; ".join(_one(each, noun, detail) for each in error.errors())


def _one(error: "ErrorDetails", noun: str, detail: "Callable[[str, ErrorDetails], str]") -> str:
    name = ""
    for part in error["loc"]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    if error["type"] == "extra_forbidden":
        return f"unknown {noun} '{name}'"
    return f"{noun} '{name}' is missing" if error["type"] == "missing" else detail(name, error)
