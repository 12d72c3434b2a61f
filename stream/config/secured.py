"""The base class of Kafka's and Redis's sections: login, TLS, and their checks."""

from pydantic import SecretStr

from stream.config.base import OptionalPath, Section, bad

TLS_KEYS = ("ca_file", "certificate_file", "key_file", "key_password", "key_password_file")
LOGIN_KEYS = ("username", "password", "password_file")


class Secured(Section):
    """A section with a connection that may be secured.

    pydantic lists the fields of the last base first: `class Redis(Secured, Address)` documents the address before the
    login, and Redis's own fields after it.
    """

    username: str = ""
    """User name for the login."""
    password: SecretStr = SecretStr("")
    """The user's password; in the environment or the settings file, never by --set."""
    password_file: OptionalPath = None
    """File that contains only the password; use it instead of the password."""
    ca_file: OptionalPath = None
    """PEM file of the certificate authorities to trust for the servers; without it, the system's."""
    certificate_file: OptionalPath = None
    """PEM file of our own certificate (and its chain), for servers that require one."""
    key_file: OptionalPath = None
    """PEM file of its private key; without it, the key is in certificate_file."""
    key_password: SecretStr = SecretStr("")
    """Password of an encrypted private key."""
    key_password_file: OptionalPath = None
    """File that contains only that password; use it instead of key_password."""


def only_with(section: Secured, keys: tuple[str, ...], condition: str) -> None:
    """Raise SettingsError if one of `keys` is set, which requires `condition`."""
    for key in keys:
        if getattr(section, key):
            raise bad(section, key, f"requires {condition}")


def check_secrets(section: Secured) -> None:
    """Check the secrets of a section: only one source for each, and no character that truncates them."""
    for key in ("password", "key_password"):
        if getattr(section, key) and getattr(section, f"{key}_file"):
            name = f"{type(section).__name__.lower()}.{key}"
            raise bad(section, f"{key}_file", f"{name} is set too: remove one of them")
    if "\0" in section.username or "\0" in section.password.get_secret_value():
        raise bad(section, "password", "the user name and the password must not contain a NUL character")
    if not section.certificate_file:
        only_with(section, ("key_file", "key_password", "key_password_file"), "certificate_file")
