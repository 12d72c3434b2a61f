"""`trimod` commands as subprocesses, with the settings of a test."""

import os
import subprocess
import sys
from pathlib import Path

from stream.config.settings import Settings

TRIMOD = str(Path(sys.executable).with_name("trimod"))


def environ(settings: Settings) -> dict[str, str]:
    values = {
        **{f"KAFKA__{key}": value for key, value in settings.kafka.model_dump(exclude_none=True).items()},
        "REDIS__URL": settings.redis.url,
        "REDIS__PREFIX": settings.redis.prefix,
    }
    return {**os.environ, **{f"TRIMOD_{key.upper()}": str(value) for key, value in values.items()}}


def trimod(settings: Settings, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command."""
    command = [TRIMOD, *arguments]
    done = subprocess.run(command, env=environ(settings), input=stdin, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
