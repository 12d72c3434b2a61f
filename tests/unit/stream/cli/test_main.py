"""`trimod` itself: its list of commands is read without importing them."""

import subprocess
import sys
from importlib.metadata import entry_points

import click
from click.testing import CliRunner

from stream.cli.main import group

LOADED = """
import sys
from click.testing import CliRunner
from stream.cli.main import group
done = CliRunner().invoke(group, {arguments!r}, input="in Toronto")
assert not done.exit_code, done.output
print(sorted({modules!r} & sys.modules.keys()))
"""


def loaded(modules: set[str], *arguments: str) -> str:
    """Those of `modules` that a fresh `trimod ARGUMENTS` imports."""
    script = LOADED.format(modules=modules, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


def test_help_says_of_each_command_what_the_command_says() -> None:
    said = CliRunner().invoke(group, ["--help"], terminal_width=80).stdout
    for entry in entry_points(group="trimod.commands"):
        command = entry.load()
        assert isinstance(command, click.Command)
        width = 80 - 6 - max(len(each.name) for each in entry_points(group="trimod.commands"))
        assert f"  {entry.name.ljust(10)}  {command.get_short_help_str(width)}\n" in said


def test_help_imports_no_command() -> None:
    assert "[]" == loaded({"pydantic", "numpy", "torch", "stream.config", "kafka"}, "--help")


def test_tagging_text_imports_no_library_of_images_or_measures() -> None:
    tag = ("tag", "-", "--checkpoint", "deploy/checkpoints/trimod", "--device", "cpu")
    assert "[]" == loaded({"timm", "nltk", "sklearn", "scipy", "kafka", "faust"}, *tag)
