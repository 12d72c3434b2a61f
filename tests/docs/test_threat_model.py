"""docs/threat-model.md names the test behind every promise: each must exist, every line of a table must name one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "threat-model.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED.findall(PAGE.read_text(encoding="utf-8")))))
def test_every_test_that_the_page_names_exists(file: str, test: str) -> None:
    assert test in functions_of(file)


def test_every_line_of_every_table_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not set(row) <= set("|- ") and not row.endswith(("test |", "to do |"))]
    assert len(promises) > 50
    assert [] == [row for row in promises if not NAMED.search(row)]


def test_the_commands_that_the_page_names_are_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PAGE.parents[1] / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", PAGE.read_text(encoding="utf-8")))
    assert set() == named - targets
