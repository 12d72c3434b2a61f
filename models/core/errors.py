"""Every error this project raises on purpose, from the root.

TrimodError                 printed by `trimod` as one line; exits with `exit_code`
|-- CheckpointError         a checkpoint is missing, damaged, unsafe or of another format
|-- BrokenImage             bytes that are no picture we can (or want to) decode; the post goes on without
`-- PretrainedError         a pretrained part that the configuration names is not to be had
(stream/errors.py and training/errors.py add their own below TrimodError)
"""


class TrimodError(Exception):
    """The root: its message is written for the person who reads it, in one line."""

    exit_code = 1


class CheckpointError(TrimodError):
    """A checkpoint that cannot be trusted or read; the message says which file and why."""


class BrokenImage(TrimodError):
    """An image that cannot be decoded; normal input: the post is tagged without it, and it is counted."""


class PretrainedError(TrimodError):
    """A pretrained part (text encoder, CNN) that is named but not installed or readable."""


def one_line(error: BaseException) -> str:
    """What a library's error says, without its line breaks; its class where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
