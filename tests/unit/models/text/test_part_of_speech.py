"""The tagger that a package carries, in HSN's ten categories."""

import importlib.util
import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.core.errors import PretrainedError
from models.text import part_of_speech
from models.text.part_of_speech import PENN, TAGS, PartOfSpeech, nouns


def words(text: str) -> list[str]:
    return text.split()


TWEET = words("Kevin Love quickly moved to the beautiful house in Riga , but who knows ?")


def test_the_categories_are_the_papers_ten() -> None:
    expected = (
        "Adjective, Verb, Noun, Preposition or subordinating conjunction, Coordinating conjunction, Symbol, "
        "Wh-pronoun, Adverb, Determiner, Other"
    )
    assert expected == ", ".join(TAGS)


def test_every_tag_of_the_tagger_has_one_category() -> None:
    tags = [tag for group in PENN.values() for tag in group.split()]

    assert len(tags) == len(set(tags))
    assert set(part_of_speech._perceptron().model.classes) == set(tags)


def test_tags_a_sentence() -> None:
    expected = (
        "Noun Noun Adverb Verb Preposition Determiner Adjective Noun Preposition Noun Symbol Coordinating Wh-pronoun "
        "Verb Symbol"
    )
    assert expected == " ".join(category.split()[0] for category in PartOfSpeech().tag(TWEET))


@pytest.mark.parametrize(
    ("token", "category"),
    [
        ("@kevinlove", "Noun"),
        ("http://t.co/x", "Symbol"),
        ("www.riga.lv", "Symbol"),
        ("😀", "Symbol"),
        (":-)", "Symbol"),
        ("…", "Symbol"),
        ("#", "Symbol"),
        ("@", "Symbol"),
        ("\ufffd", "Symbol"),
        ("&amp;", "Coordinating conjunction"),
        ("RT", "Other"),
        ("LOL", "Other"),
        ("i", "Other"),
        ("n’t", "Adverb"),
    ],
)
def test_what_only_posts_have(token: str, category: str) -> None:
    assert [category] == PartOfSpeech().tag([token])


def test_a_hashtag_is_tagged_as_its_word() -> None:
    plain, tagged = words("we love Riga"), words("we #love #Riga")

    assert PartOfSpeech().tag(plain) == PartOfSpeech().tag(tagged)


def test_odd_tokens_get_a_tag_each() -> None:
    odd = ["", " ", "#", "##", "\u200d", "\ud800", "-", "2016", "x" * 5000, f"&#{'9' * 5000};"]

    assert len(odd) == len(PartOfSpeech().tag(odd))
    assert [] == PartOfSpeech().tag([])


def test_nouns_of_a_caption_in_order_each_once() -> None:
    caption = words("a man in a black hat sitting on a bench next to a dog and a man")

    assert ["man", "hat", "bench", "dog"] == nouns(caption)


def test_threads_get_what_one_thread_gets() -> None:
    posts = [TWEET[start:] + TWEET[:start] for start in range(len(TWEET))] * 8
    alone = [PartOfSpeech().tag(post) for post in posts]

    with ThreadPoolExecutor(4) as pool:
        assert alone == list(pool.map(PartOfSpeech().tag, posts))


def test_importing_and_making_one_loads_nothing() -> None:
    """A worker whose model reads no parts of speech must not pay NLTK's import."""
    code = "import sys, models.text.part_of_speech as p; p.PartOfSpeech(); sys.exit('nltk' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_a_pickle_with_code_in_it_is_refused() -> None:
    evil = pickle.dumps(Path("x"))

    with pytest.raises(PretrainedError, match=r"refer to pathlib.*: not loaded"):
        part_of_speech._Unpickler(io.BytesIO(evil), encoding="utf-8").load()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(PretrainedError, match="pip install textblob-aptagger"):
        part_of_speech._weights()
