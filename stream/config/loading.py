"""Settings from flags (`--set section.key=value`) over environment over one TOML file over defaults.

Own code: pydantic-settings ignores a variable with a misspelt section, and accepts secrets from flags.

An environment variable is `TRIMOD_SECTION__KEY` (`TRIMOD_KAFKA__PARTITIONS=16`). The file is given by `--config FILE`
or `TRIMOD_CONFIG`. Unknown keys, invalid values and impossible combinations prevent startup, and the error names the
key. Secrets are never shown. They are not accepted from flags, which every user of the machine can read.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import (
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from models.core.errors import explain
from stream.config.settings import Settings
from stream.errors import SettingsError

PREFIX = "TRIMOD_"


def load_settings(
    config: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Merge defaults, the TOML file, the environment and `section.key=value` overrides; later ones win.

    Raises SettingsError, naming the key, for an unknown key or an invalid value.
    """
    merged: dict[str, dict[str, Any]] = {}
    for source in (_from_file(config, environ), _from_environment(environ), _from_overrides(overrides)):
        for section, values in source.items():
            if not isinstance(values, dict):
                raise SettingsError(f"setting '{section}' must be a section with keys below it")
            merged.setdefault(section, {}).update(values)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(explain(error, "setting", _detail)) from None


def with_flags(settings: Settings, section: str, flags: Mapping[str, Any]) -> Settings:
    """`settings` with a command's own flags applied to one section; None means not given. Raises SettingsError."""
    values = settings.model_dump()
    values[section] |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(explain(error, "setting", _detail)) from None


def documented_fields() -> list[tuple[str, FieldInfo]]:
    """(`section.key`, field) of every setting, in order; for the example file (stream/config/example.py)."""
    return [
        (f"{name}.{key}", field)
        for name, section in Settings.model_fields.items()
        for key, field in section.annotation.model_fields.items()  # type: ignore[union-attr]
    ]


def secret_names() -> set[str]:
    """`section.key` of every setting whose value must not be shown."""
    return {name for name, field in documented_fields() if field.annotation is SecretStr}


def _detail(name: str, error: ErrorDetails) -> str:
    shown = "" if name in {"redis.url", *secret_names()} else f", got {error['input']!r}"
    return f"bad setting '{name}': {error['msg'].lower()}{shown}"


def _from_file(config: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    path = config or (Path(environ["TRIMOD_CONFIG"]) if environ.get("TRIMOD_CONFIG") else None)
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in ("TRIMOD_CONFIG", "TRIMOD_FAULTS"):
            continue
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if not separator:
            raise SettingsError(f"unknown setting in the environment: {name} (write TRIMOD_SECTION__KEY)")
        found.setdefault(section, {})[key] = value
    return found


def _from_overrides(overrides: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        section, dot, key = name.strip().partition(".")
        _refuse_secret(name.strip(), value)
        if not (equals and dot and key):
            begin = re.split(r"[^\w.]", name.strip())[0]  # what follows may be a secret
            raise SettingsError(f"--set: expected section.key=value, got {begin!r}")
        found.setdefault(section, {})[key] = value
    return found


def _refuse_secret(name: str, value: str) -> None:
    """Flags are visible in the process list and in the shell's history."""
    section, _, key = name.partition(".")
    variable = f"{PREFIX}{section}__{key}".upper()
    if name in secret_names():
        where = f"{variable}, the settings file or {name}_file"
        raise SettingsError(f"'{name}' is a secret, which --set would expose: use {where}")
    if name == "redis.url" and "@" in value:
        where = "TRIMOD_REDIS__PASSWORD or redis.password_file"
        raise SettingsError(f"'{name}' contains a password, which --set would expose: use {where}")
