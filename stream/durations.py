"""Spans of time as people type them: `90s`, `15m`, `1h`, `7d`."""

import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Seconds of a number and a unit (s, m, h or d). Raises ValueError with a sentence for the user."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip().lower(), re.ASCII)
    if not match or not float(match[1]):
        raise ValueError(f"{text!r} is no span of time: write 90s, 15m, 1h or 7d")
    return float(match[1]) * UNITS[match[2]]
