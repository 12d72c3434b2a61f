"""Text on a terminal: colours of types, numbers of things, and posts without terminal control characters."""


def plural(number: int, noun: str) -> str:
    """`1 post`, `2 posts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: str) -> str:
    """Escapes control characters: the bytes of a post must not control the terminal."""
    kept = (c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return "".join(kept)


COLOURS = {"PER": "yellow", "LOC": "green", "ORG": "blue", "MISC": "magenta"}


def visible(text: str) -> str:
    """On one line and without control characters: the text of a post must not control the terminal."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def input_name(name: str) -> str:
    """The input file as messages call it."""
    return "standard input" if name in ("-", "<stdin>") else name
