"""The base class of the settings' sections, and the error for one of their keys.

SettingsError is not a ValueError, so that pydantic passes it on unchanged.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from stream.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]


def _unset(value: Any) -> Any:
    """An empty string means no folder; it must not become the current one."""
    return None if value == "" else value


OptionalPath = Annotated[Path | None, BeforeValidator(_unset)]


def split_names(value: Any) -> Any:
    """Names as the environment and flags write them: one text, with commas."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return value


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def bad(section: Section, key: str, what: str) -> SettingsError:
    """The error for one key of `section`."""
    return SettingsError(f"bad setting '{type(section).__name__.lower()}.{key}': {what}")
