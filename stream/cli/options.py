"""Options that commands share: `--config` and `--set`, durations."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stream.config.loading import load_settings

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Seconds, from a number and a unit (s, m, h or d). Raises ValueError with a message for the user."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip().lower(), re.ASCII)
    if not match or not float(match[1]):
        raise ValueError(f"invalid duration {text!r}: use a number and s, m, h or d, such as 15m")
    return float(match[1]) * UNITS[match[2]]


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: adds --config and --set to a command and passes it `settings: Settings`."""

    @click.option(
        "--config", type=click.Path(path_type=Path), help="TOML file with settings (or set TRIMOD_CONFIG)."
    )
    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Change one setting; can be repeated.",
    )
    @functools.wraps(command)
    def wrapper(*args: Any, config: Path | None, overrides: tuple[str, ...], **kwargs: Any) -> Any:
        return command(*args, settings=load_settings(config, overrides), **kwargs)

    return wrapper


class Duration(click.ParamType):
    """A click type for `15m` or `1h`: seconds as a float."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
