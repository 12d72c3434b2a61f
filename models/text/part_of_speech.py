"""Parts of speech of a post's tokens, in the ten categories of HSN (section 4.3), and the nouns of a caption.

The paper uses NLTK; this is its averaged perceptron (greedy, Penn Treebank tags), with the weights of the package
`textblob-aptagger` (NLTK's own are a separate download). They were trained on the Wall Street Journal, so tokens that
only occur in posts are mapped to known ones: a hashtag is tagged as its word, a mention as a name, URLs and emoji as
symbols, `lol` as an interjection.

The weights are a pickle. They are read by an unpickler that allows sets and nothing else, so no code in them can run.
"""

import html
import importlib.util
import pickle
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from models.core.errors import PretrainedError

WEIGHTS = ("textblob_aptagger", "trontagger-0.1.0.pickle")
"""Module (located, never imported: it is of textblob's first year) and file of the weights."""
PENN = {
    "Adjective": "JJ JJR JJS",
    "Verb": "VB VBD VBG VBN VBP VBZ MD",
    "Noun": "NN NNS NNP NNPS",
    "Preposition or subordinating conjunction": "IN TO",
    "Coordinating conjunction": "CC",
    "Symbol": "SYM # $ '' `` , . : -LRB- -RRB-",
    "Wh-pronoun": "WP WP$ WDT",
    "Adverb": "RB RBR RBS WRB",
    "Determiner": "DT PDT",
    "Other": "CD EX FW LS POS PRP PRP$ RP UH",
}
"""HSN's category -> its Penn Treebank tags. The paper names only the categories; the grouping is ours."""
TAGS: tuple[str, ...] = tuple(PENN)
_CATEGORY = {tag: category for category, tags in PENN.items() for tag in tags.split()}
MAX_READ = 200
"""Characters of a token that are read: html.unescape raises on `&#` with 4300 digits."""
_MENTION, _SYMBOL, _RETWEET = "<mention>", "<symbol>", "<retweet>"
_INTERJECTIONS = (
    "ah aw aww ha haha hahaha hey hi lmao lmfao lol oh omg ooh ugh wow xx xoxo yay yea yeah yep yes"
)
_POSTS_OWN = {_MENTION: "NNP", _SYMBOL: "SYM", _RETWEET: "FW", "i": "PRP", "u": "PRP"}


_POSTS_OWN |= dict.fromkeys(_INTERJECTIONS.split(), "UH")


"""Tokens that newspapers do not have, with their tags."""


class PartOfSpeech:
    """The tagger. Its weights are read at first use, once per process. Thread-safe."""

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """One of TAGS for each token of a whole post or caption, in order, as written.

        Raises PretrainedError if the weights' package is not installed.
        """
        perceptron = _perceptron()
        seen = [_as_seen(token, perceptron.tagdict) for token in tokens]
        return [_CATEGORY[tag] for _, tag in perceptron.tag(seen)]


def nouns(words: Sequence[str]) -> list[str]:
    """The nouns among the words of a caption, in order, each once."""
    tagged = zip(words, PartOfSpeech().tag(words), strict=True)
    return list(dict.fromkeys(word for word, category in tagged if category == "Noun"))


def _as_seen(token: str, known: dict[str, str]) -> str:
    """The token as the tagger reads it."""
    token = html.unescape(token[:MAX_READ]).replace("’", "'")
    if token.startswith(("http://", "https://", "www.")):
        return _SYMBOL
    if token[:1] in "@＠" and len(token) > 1:
        return _MENTION
    if token == "RT":
        return _RETWEET
    if token.lower() in _POSTS_OWN:
        return token.lower()
    if not any(character.isalnum() for character in token):
        return token if token in known else _SYMBOL
    return token.lstrip("#＃")


@cache
def _perceptron() -> Any:
    from nltk.tag.perceptron import PerceptronTagger  # two seconds: NLTK imports all of itself

    tagger = PerceptronTagger(load=False)
    with _weights().open("rb") as file:
        weights, tagdict, classes = _Unpickler(file, encoding="utf-8").load()
    tagger.model.weights, tagger.model.classes = weights, classes
    tagger.tagdict = tagdict | _POSTS_OWN
    return tagger


def _weights() -> Path:
    module, name = WEIGHTS
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PretrainedError("the part-of-speech tagger is not installed: pip install textblob-aptagger")
    return Path(spec.origin).parent / name


class _Unpickler(pickle.Unpickler):
    """Reads dictionaries, strings, numbers and sets; rejects anything else."""

    def __init__(self, file: BinaryIO, *, encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in (("builtins", "set"), ("__builtin__", "set")):
            raise PretrainedError(f"the part-of-speech tagger's weights refer to {module}.{name}: not loaded")
        return set
