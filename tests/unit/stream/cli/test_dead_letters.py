"""The list of dead letters: a line each, that fits the terminal, whatever strangers wrote."""

import pytest
from rich.cells import cell_len

from stream.cli.dead_letters import dead_lines
from stream.kafka.dead_letters import DeadEntry


def letter(number: int, **headers: str) -> DeadEntry:
    known = {
        "topic": "posts",
        "partition": "3",
        "offset": "17",
        "error": "BadPost",
        "message": "invalid JSON",
    }
    return DeadEntry(0, number, b"k", 5, known | {"time": "1795303420000"} | headers)


def test_a_usual_list() -> None:
    assert [
        "id    moved (UTC)          from        error    message",
        "0:7   2026-11-21 23:23:40  posts:3:17  BadPost  invalid JSON",
        "0:12  ?                    posts:3:17  BadPost  invalid JSON",
    ] == list(dead_lines([letter(7), letter(12, time="x")], 80))


@pytest.mark.parametrize("width", [80, 81, 120, 200])
@pytest.mark.parametrize(
    "headers",
    [
        {"message": "post 'text' is too long " * 20},
        {"message": "\u6771\u4eac" * 100},
        {"message": "a\nb\x1b[31m\tc"},
        {"error": "KillsWorker" * 9, "topic": "a.b.c" * 30},
        {"offset": "9" * 19, "topic": "posts"},
        {"message": "", "error": ""},
    ],
)
def test_every_letter_is_one_line_that_fits(width: int, headers: dict[str, str]) -> None:
    lines = list(dead_lines([letter(5), letter(2**40, **headers)], width))
    assert 3 == len(lines)
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)
    assert f"0:{2**40}" == lines[2].split()[0]
