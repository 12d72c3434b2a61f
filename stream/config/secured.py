"""What Kafka's and Redis's sections share: a login, TLS, and the checks of both."""

from pydantic import SecretStr

from stream.config.base import OptionalPath, Section, bad

TLS_KEYS = ("ca_file", "certificate_file", "key_file", "key_password", "key_password_file")
LOGIN_KEYS = ("username", "password", "password_file")


class Secured(Section):
    """A section with a link that may be secured.

    pydantic lists the fields of the last base first: `class Redis(Secured, Address)` documents the address before the
    login, and Redis's own fields after it.
    """

    username: str = ""
    """User that logs in."""
    password: SecretStr = SecretStr("")
    """The user's password; in the environment or the settings file, never by --set."""
    password_file: OptionalPath = None
    """File with the password alone, instead of it."""
    ca_file: OptionalPath = None
    """PEM file of the authorities that the servers' certificates must come from; without it, those of the system."""
    certificate_file: OptionalPath = None
    """PEM file of our own certificate (and its chain), for servers that want one."""
    key_file: OptionalPath = None
    """PEM file of its private key; without it, the key is in certificate_file."""
    key_password: SecretStr = SecretStr("")
    """Password of an encrypted private key."""
    key_password_file: OptionalPath = None
    """File with that password alone, instead of it."""


def only_with(section: Secured, keys: tuple[str, ...], condition: str) -> None:
    """Raise SettingsError where one of `keys` is set, which is of use only under `condition`."""
    for key in keys:
        if getattr(section, key):
            raise bad(section, key, f"it is of use only with {condition}")


def check_secrets(section: Secured) -> None:
    """What holds for the secrets of both links: one source each, and nothing that a protocol cuts off."""
    for key in ("password", "key_password"):
        if getattr(section, key) and getattr(section, f"{key}_file"):
            name = f"{type(section).__name__.lower()}.{key}"
            raise bad(section, f"{key}_file", f"{name} is given too: leave one of them out")
    if "\0" in section.username or "\0" in section.password.get_secret_value():
        raise bad(section, "password", "neither it nor the user name may contain the character NUL")
    if not section.certificate_file:
        only_with(section, ("key_file", "key_password", "key_password_file"), "certificate_file beside it")
