"""`python -m stream` is `trimod`: for children of a process that knows its interpreter, but not its PATH."""

from stream.cli.main import run

run()
