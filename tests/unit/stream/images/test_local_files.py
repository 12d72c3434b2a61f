"""A post's path must not lead out of the images root: posts come from strangers."""

import unicodedata
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


@pytest.mark.parametrize("name", ["café.jpg", "Zürich/Ångström.png", "한글/사진.jpg", "Việt Nam.webp"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_a_name_in_another_unicode_form_is_the_same(root: Path, name: str, stored: str, asked: str) -> None:
    file = root / unicodedata.normalize(stored, name)  # type: ignore[arg-type]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"picture")
    assert b"picture" == read_below(root, unicodedata.normalize(asked, name))  # type: ignore[arg-type]


def test_parts_of_a_path_may_be_in_different_forms(root: Path) -> None:
    file = root / "e\u0301te\u0301" / "\xe9t\xe9.jpg"
    file.parent.mkdir()
    file.write_bytes(b"picture")
    assert b"picture" == read_below(root, "\xe9t\xe9/e\u0301te\u0301.jpg")


def test_another_form_does_not_lead_out_of_the_root(root: Path) -> None:
    (root.parent / "caf\xe9").write_bytes(b"secret")
    (root / "cafe\u0301").symlink_to(root.parent / "caf\xe9")
    for path in ("../cafe\u0301", "caf\xe9"):
        with pytest.raises(BrokenImage, match="leads out"):
            read_below(root, path)


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
