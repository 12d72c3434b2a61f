"""Where files go: below a checkout, or into the user's data folder."""

from pathlib import Path

import pytest

from models.core import places
from models.core.errors import TrimodError
from models.core.places import _data_home, _repository, in_repository


def test_a_checkout_has_the_checkpoints_and_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "deploy" / "checkpoints").mkdir(parents=True)
    assert _repository(tmp_path) is None
    (tmp_path / "pyproject.toml").touch()
    assert tmp_path == _repository(tmp_path)


@pytest.mark.parametrize(
    ("given", "expected"), [("{0}/data", "data"), ("relative", ".local/share"), ("", ".local/share")]
)
def test_data_go_where_the_desktop_standard_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", given.format(tmp_path))
    assert tmp_path.resolve() / expected == _data_home()


def test_what_needs_the_repository_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (in_repository("deploy/samples", "the demo") / "posts.jsonl").is_file()
    monkeypatch.setattr(places, "REPOSITORY", None)
    with pytest.raises(
        TrimodError, match=r"the demo needs the repository \(deploy/samples\): run trimod from"
    ):
        in_repository("deploy/samples", "the demo")
