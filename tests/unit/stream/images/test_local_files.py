"""A post's path must not lead out of the images root: posts come from strangers."""

from pathlib import Path

import pytest

from models.core.errors import BrokenImage
from stream.images.local_files import read_below


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "root"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "a.jpg").write_bytes(b"picture")
    (tmp_path / "secret").write_bytes(b"secret")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "loop").symlink_to(inside / "loop")
    return inside


@pytest.mark.parametrize("path", ["sub/a.jpg", "./sub/../sub/a.jpg"])
def test_a_file_below_the_root(root: Path, path: str) -> None:
    assert b"picture" == read_below(root, path)


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "sub/../../secret",
        "/etc/passwd",
        "link",
        "loop",
        "none.jpg",
        "sub",
        "",
        "a\0b",
        "x" * 5000,
    ],
)
def test_everything_else_is_a_broken_image(root: Path, path: str) -> None:
    with pytest.raises(BrokenImage, match="image"):
        read_below(root, path)
