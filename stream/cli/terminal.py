"""Strangers' words on a terminal: colours of types, and text without characters that would steer it."""


def _printable(text: str) -> str:
    """Control characters as escapes: a stranger's bytes must not steer the terminal."""
    kept = (c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return "".join(kept)


COLOURS = {"PER": "yellow", "LOC": "green", "ORG": "blue", "MISC": "magenta"}


def _visible(text: str) -> str:
    """On one line, and without characters that would steer the terminal: the words are strangers'."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
