"""`trimod`: one command over stream, models and training.

Commands are entry points (pyproject.toml), each loaded only when called. This file has what all commands share:
errors are one line, and exit with a non-zero code.
"""

import ast
import atexit
import contextlib
import os
import sys
import threading
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import click
from click.utils import make_default_short_help

from models.core.errors import TrimodError

PIPE_CLOSED = 141
"""Exit code if nobody reads our output any more: as the shell reports SIGPIPE."""


class LazyGroup(click.Group):
    """A group whose commands are looked up by name among the entry points of `trimod.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in entry_points(group="trimod.commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = entry_points(group="trimod.commands", name=cmd_name)
        return next((entry.load() for entry in found), None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Like click's, but without importing the commands: importing all of them takes seconds."""
        entries = sorted(entry_points(group="trimod.commands"), key=lambda entry: entry.name)
        limit = formatter.width - 6 - max(len(entry.name) for entry in entries)
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, _short_help(entry, limit)) for entry in entries])


def _short_help(entry: EntryPoint, limit: int) -> str:
    """The first sentence of the command's docstring, read from its source."""
    spec = find_spec(entry.module)
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return make_default_short_help(ast.get_docstring(node) or "", limit)
    return ""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `make demo`. Then run `trimod up` in one terminal and `trimod ingest FILE` in another.",
)
@click.version_option(package_name="trimod-stream", prog_name="trimod")
def group() -> None:
    """Extract named entities from a social-media firehose in real time: posts in, entity events out."""


def run() -> NoReturn:
    """The entry point: `main`, then the end of the process without the interpreter's teardown.

    With PyTorch loaded, the teardown takes two seconds of CPU time, or ten on a busy machine. A worker has promised to
    be gone by then. Threads that must end are waited for, and what is registered with atexit runs.
    """
    code: object = 0
    try:
        main()
    except SystemExit as done:
        code = done.code
    threading._shutdown()  # type: ignore[attr-defined]  # as Py_Finalize does: joins the threads that are not daemons
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def main() -> None:
    """Run `trimod`; TriMod's errors become one line on stderr; a closed pipe is not an error."""
    try:
        group(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TrimodError as error:
        click.echo(f"trimod: {error}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader is gone: suppress the interpreter's message at exit
        sys.exit(PIPE_CLOSED)
