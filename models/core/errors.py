"""The errors that this project raises on purpose.

TrimodError                 printed by `trimod` as one line; exits with `exit_code`
|-- CheckpointError         a checkpoint is missing, damaged, unsafe or of another format
|-- BrokenImage             bytes that are not a supported image; the post is tagged without it
`-- PretrainedError         a pretrained component in the configuration is not available
(stream/errors.py and training/errors.py add their own below TrimodError)
"""


class TrimodError(Exception):
    """The root class; its message is one line, written for users."""

    exit_code = 1


class CheckpointError(TrimodError):
    """A checkpoint that cannot be trusted or read; the message names the file and the reason."""


class BrokenImage(TrimodError):
    """An image that cannot be decoded. This is normal input: it is counted, and the post is tagged without it."""


class PretrainedError(TrimodError):
    """A pretrained component (text encoder, CNN) that is not installed or not readable."""


def one_line(error: BaseException) -> str:
    """A library error's message without line breaks; its class name if the message is empty."""
    return " ".join(str(error).split()) or type(error).__name__
