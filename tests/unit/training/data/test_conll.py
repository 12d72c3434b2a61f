"""Reading what the data sets' files hold: OTHER, orphan tags, document starts, columns."""

from pathlib import Path

import pytest

from training.data.conll import LabelledPost, read_conll
from training.errors import DataError


def test_twitter_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("IMGID:17\nLion\tB-OTHER\nKing\tI-OTHER\n\nIMGID:18\nin\tO\n#Riga\tI-LOC\n")
    posts = read_conll(path)
    assert [
        LabelledPost(["Lion", "King"], ["B-MISC", "I-MISC"], "17"),
        LabelledPost(["in", "#Riga"], ["O", "I-LOC"], "18"),
    ] == posts
    assert ["O", "O"] == posts[1].training_tags


def test_files_with_more_columns_and_document_starts(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("-DOCSTART- -X- -X- O\n\nFarmall\t-\t-\tB-ORG\n")
    assert [LabelledPost(["Farmall"], ["B-ORG"])] == read_conll(path)


def test_the_mark_that_windows_puts_first_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Ann\tB-PER\n", encoding="utf-8-sig", newline="\r\n")
    assert [LabelledPost(["Ann"], ["B-PER"])] == read_conll(path)


def test_a_tag_without_a_token_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """BTC's validation file has three, in the middle of posts that are whole otherwise."""
    path = tmp_path / "a.conll"
    path.write_text("Farmall\tB-ORG\n\tO\nwon\tO\n")
    assert [LabelledPost(["Farmall", "won"], ["B-ORG", "O"])] == read_conll(path)
    assert "a.conll:2: skipped a tag without a token" in caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\tO\nb\tPER\n", r":2: expected token<TAB>BIO tag, got 'b\\tPER'"),
        ("a\n", ":1: expected .*, got 'a'"),
        ("\tB-PER\n", r":1: expected .*, got '\\tB-PER'"),
        ("Ann\tB-\n", r":1: expected .*, got 'Ann\\tB-'"),
        ("Ann\tS-PER\n", r":1: expected .*, got 'Ann\\tS-PER'"),
        ("\n", "contains no posts"),
        (
            "EU\tI-ORG\nin\tO\nNew\tI-LOC\nYork\tI-LOC\n",
            "2 entities begin with I- and 0 with B-, as in IOB1",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.conll"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        read_conll(path)
    with pytest.raises(DataError, match="cannot read"):
        read_conll(tmp_path / "none")


def test_other_beside_misc_is_refused(tmp_path: Path) -> None:
    """Read as one, two classes of somebody's own were scored as one, at 100."""
    path = tmp_path / "own.conll"
    path.write_text("a\tB-OTHER\n\nb\tB-MISC\n")
    with pytest.raises(DataError, match="has both MISC and OTHER"):
        read_conll(path)
