"""What the sections of the settings share: their base class, and the checks of secured links.

SettingsError is no ValueError, so that pydantic passes it on as it is.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from stream.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]


def _unset(value: Any) -> Any:
    """An empty text is no folder, least of all the current one."""
    return None if value == "" else value


OptionalPath = Annotated[Path | None, BeforeValidator(_unset)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


TLS_KEYS = ("ca_file", "certificate_file", "key_file", "key_password", "key_password_file")


LOGIN_KEYS = ("username", "password", "password_file")


def bad(section: Section, key: str, what: str) -> SettingsError:
    """The error for one key of `section`."""
    return SettingsError(f"bad setting '{type(section).__name__.lower()}.{key}': {what}")


def only_with(section: Section, keys: tuple[str, ...], condition: str) -> None:
    """Raise SettingsError where one of `keys` is set, which is of use only under `condition`."""
    for key in keys:
        if getattr(section, key):
            raise bad(section, key, f"it is of use only with {condition}")


def check_secrets(section: Any) -> None:
    """What holds for the secrets of both links: one source each, and nothing that a protocol cuts off."""
    for key in ("password", "key_password"):
        if getattr(section, key) and getattr(section, f"{key}_file"):
            name = f"{type(section).__name__.lower()}.{key}"
            raise bad(section, f"{key}_file", f"{name} is given too: leave one of them out")
    if "\0" in section.username or "\0" in section.password.get_secret_value():
        raise bad(section, "password", "neither it nor the user name may contain the character NUL")
    if not section.certificate_file:
        only_with(section, ("key_file", "key_password", "key_password_file"), "certificate_file beside it")
