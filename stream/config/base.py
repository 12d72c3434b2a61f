"""All settings, typed: flags (`--set section.key=value`) over environment over one TOML file over defaults.

An environment variable is `TRIMOD_SECTION__KEY` (`TRIMOD_KAFKA__PARTITIONS=16`); the file is what
`--config FILE` or `TRIMOD_CONFIG` names. The docstring under each field is its documentation. An unknown key, a bad
value or a combination that cannot work (stream/config) stops the start with the key's name. Secrets are
never shown, and not taken from flags, which every user of the machine can read.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from stream.errors import SettingsError

if TYPE_CHECKING:
    pass

ROOT = Path(__file__).resolve().parents[2]


def _unset(value: Any) -> Any:
    """An empty text is no folder, least of all the current one."""
    return None if value == "" else value


OptionalPath = Annotated[Path | None, BeforeValidator(_unset)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


TLS_KEYS = ("ca_file", "certificate_file", "key_file", "key_password", "key_password_file")


LOGIN_KEYS = ("username", "password", "password_file")


def bad(section: "Section", key: str, what: str) -> SettingsError:
    """The error for one key of `section`."""
    return SettingsError(f"bad setting '{type(section).__name__.lower()}.{key}': {what}")
