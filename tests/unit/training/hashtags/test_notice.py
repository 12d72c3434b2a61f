"""Whoever passes a checkpoint on passes on whose word frequencies are in it."""

from pathlib import Path

from models.hashtags.lexicon import LexiconConfig
from training.hashtags.notice import NOTICE, write_notice


def test_words_come_with_their_sources_and_licence(tmp_path: Path) -> None:
    write_notice(tmp_path, LexiconConfig(words=1, size=3))
    text = (tmp_path / NOTICE).read_text(encoding="utf-8")
    assert all(name in text for name in ("wordfreq", "wordsegment", "CC BY-SA 4.0", "SUBTLEX", "Changes:"))


def test_without_words_there_is_nothing_to_say(tmp_path: Path) -> None:
    write_notice(tmp_path, LexiconConfig())
    assert [] == list(tmp_path.iterdir())
