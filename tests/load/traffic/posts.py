"""Made-up posts without end, the same ones for the same seed: texts, hashtags, images in every way, repeats, bad posts.

The vocabulary is varied but finite, so that caches by word are full early and growth after that is a leak; beside it
a tenth of the posts has a name that never came before, as real streams do, and most pictures are new. Pictures come as
base64 or by URL (tests/load/traffic/images.py). It does not send anything.
"""

import base64
import random
from collections import deque

import orjson

from tests.load.traffic.images import URL_HOST, picture

CONSONANTS, VOWELS = "bdfghklmnprstvwz", "aeiou"
PLACES = (
    "Paris",
    "London",
    "Toronto",
    "Lagos",
    "Berlin",
    "Quito",
    "Austin",
    "Leeds",
    "Osaka",
    "Georgia",
    "Kenya",
)
PEOPLE = (
    "Alice",
    "Serena",
    "Jordan",
    "Maria",
    "Lincoln",
    "Victoria",
    "Auston",
    "Sean",
    "Fatima",
    "Chen",
    "Ivan",
)
FRAMES = (
    "{person} is back in {place} and {words}",
    "so {words} with {person} {name} tonight {tags}",
    "{words} {words} {place}",
    "RT @{handle}: {person} said {words} {tags}",
    "{words} 😀 {name} beat {place} {tags} https://t.example/{word}",
    "{words}",
)
WORDS, NAMES, TAGS = 6000, 2000, 1500
"""How many different ones there are of each."""
WITH_DATA, WITH_URL, WITH_NEW_NAME, REPEATED, BAD = 0.12, 0.12, 0.1, 0.02, 0.002
"""Shares of posts."""
PICTURES = 4000
"""Different pictures that are named by URL; those sent as data are all different."""


class Posts:
    """`port` is where the pictures by URL are served."""

    def __init__(self, seed: int, port: int) -> None:
        self._random = random.Random(seed)
        self._port = port
        self._words = [self._invent(1, 3) for _ in range(WORDS)]
        self._names = [self._invent(2, 4).capitalize() for _ in range(NAMES)]
        self._tags = [
            "#" + "".join(word.capitalize() for word in self._random.sample(self._words, 2))
            for _ in range(TAGS)
        ]
        self._latest: deque[dict[str, object]] = deque(maxlen=200)
        self._count = 0
        self.bad = 0
        """How many of those made are no posts: they must end in the dead-letter topic."""

    def next(self, created_at: int) -> tuple[str, bytes]:
        """(key, value) of the next post, made at `created_at`, epoch milliseconds."""
        self._count += 1
        chance = self._random.random()
        if chance < BAD:
            self.bad += 1
            return f"bad{self._count}", b'{"id": "bad", "text": '
        if chance < BAD + REPEATED and self._latest:
            post = {**self._random.choice(self._latest), "created_at": created_at}
        else:
            post = self._new(created_at)
            self._latest.append(post)
        return str(post["id"]), orjson.dumps(post)

    def _new(self, created_at: int) -> dict[str, object]:
        post: dict[str, object] = {
            "id": f"s{self._count}",
            "text": self._text(),
            "created_at": created_at,
            "source": "soak",
        }
        chance = self._random.random()
        if chance < WITH_DATA:
            data = base64.b64encode(picture(self._count)).decode()
            post["images"] = [{"data": data, "alt": self._random.choice(self._words)}]
        elif chance < WITH_DATA + WITH_URL:
            number = int(self._random.paretovariate(0.5)) % PICTURES
            post["images"] = [{"url": f"http://{URL_HOST}:{self._port}/{number}.jpg"}]
        return post

    def _text(self) -> str:
        pick = self._random.choice
        new = self._random.random() < WITH_NEW_NAME
        return pick(FRAMES).format(
            person=pick(PEOPLE),
            place=pick(PLACES),
            name=f"{pick(self._names)}{self._count}" if new else pick(self._names),
            handle=pick(self._names).lower(),
            word=pick(self._words),
            words=" ".join(self._random.choices(self._words, k=self._random.randint(2, 9))),
            tags=" ".join(self._random.choices(self._tags, k=self._random.randint(0, 3))),
        )

    def _invent(self, least: int, most: int) -> str:
        syllables = self._random.randint(least, most)
        return "".join(
            self._random.choice(CONSONANTS) + self._random.choice(VOWELS) for _ in range(syllables)
        )
