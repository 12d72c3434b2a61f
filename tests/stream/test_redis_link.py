"""Which versions of Redis are too old; the rest of redis_link.py is met in tests/integration."""

import pytest

from stream.redis_link import is_too_old


@pytest.mark.parametrize(
    ("version", "too_old"),
    [
        ("5.0.14", True),
        ("6.0.16", True),
        ("6.2.0", False),
        ("7.0.15", False),
        ("10.1", False),
        ("dev", False),
    ],
)
def test_versions_before_6_2_are_too_old(version: str, too_old: bool) -> None:
    assert too_old == is_too_old(version)
