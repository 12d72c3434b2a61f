"""Every setting with its documentation and default, as a TOML file to copy: `make docs` writes it to deploy/."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from stream.config.base import ROOT
from stream.config.loading import documented_fields

HEAD = """\
# All settings with their defaults. Copy the file, keep the lines that you change, and pass it with `--config FILE` or
# TRIMOD_CONFIG. The environment (TRIMOD_KAFKA__PARTITIONS=16) and flags (--set kafka.partitions=16) override it.
"""


def example() -> str:
    """The whole file; paths below the project are written relative to it, unset values are comments."""
    lines, current = [HEAD], ""
    for name, field in documented_fields():
        section, key = name.split(".")
        if section != current:
            lines.append(f"[{section}]")
            current = section
        lines += [f"# {line}" for line in (field.description or "").splitlines()]
        value = _toml(field.default)
        lines.append(f"{key} = {value}\n" if value else f'# {key} = ""\n')
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return json.dumps(value.get_secret_value())
    if isinstance(value, Path):
        return json.dumps(str(value.relative_to(ROOT)))
    return json.dumps(value)


if __name__ == "__main__":
    sys.stdout.write(example())
