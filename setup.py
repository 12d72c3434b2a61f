"""Wheels hold the shipped checkpoint as package data of `models`; all else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CHECKPOINT = Path("deploy", "checkpoints", "trimod")


class WithCheckpoint(build_py):
    """An editable install has none of its own: it finds the repository's (models/__init__.py)."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "models", "shipped", CHECKPOINT.name)
            self.mkpath(str(target))
            for file in sorted(CHECKPOINT.iterdir()):
                self.copy_file(str(file), str(target / file.name))


setup(cmdclass={"build_py": WithCheckpoint})
