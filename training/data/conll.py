"""Readers of CoNLL-style NER files: Twitter-2015/2017 (`IMGID:` lines), WNUT-17, BTC, Tweebank.

The first column is the token, the last the BIO tag. A blank line ends a post. An O without a token is skipped with a
warning. OTHER is read as MISC. Orphan `I-` tags are kept in `tags`, where strict scoring does not count them as
entities; in `training_tags` they are O.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from models.core.labels import spans, tags_of
from training.errors import DataError

OTHER, MISC = "OTHER", "MISC"
"""Names of the fourth type: in Twitter-2015's files, and in Twitter-2017's files and here."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledPost:
    tokens: list[str]
    tags: list[str]
    image_id: str = ""
    """Id of the post's image and caption, if the data set has them."""

    @property
    def training_tags(self) -> list[str]:
        """The tags with orphan `I-` read as O."""
        return tags_of(spans(self.tags), len(self.tags))


def read_conll(path: Path) -> list[LabelledPost]:
    """All posts of a file, in order. Raises DataError, naming the invalid line."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # a byte order mark is not part of the first token
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    posts = list(_posts(path, text.split("\n")))
    if not posts:
        raise DataError(f"{path} contains no posts")
    if {f"B-{OTHER}", f"B-{MISC}"} <= {tag for post in posts for tag in post.tags}:
        raise DataError(
            f"{path} has both {MISC} and {OTHER}, but {OTHER} is read as {MISC}: rename one of them"
        )
    for post in posts:
        post.tags[:] = [tag[:2] + MISC if tag[2:] == OTHER else tag for tag in post.tags]
    begun = sum(tag.startswith("B-") for post in posts for tag in post.tags)
    orphans = sum(_orphans(post) for post in posts)
    if orphans > begun:
        raise DataError(
            f"{path}: {orphans} entities begin with I- and {begun} with B-, as in IOB1. Convert it to BIO, with B- "
            "on the first token of every entity"
        )
    return posts


def _orphans(post: LabelledPost) -> int:
    """Entities whose first tag is an I-."""
    pairs = pairwise(["O", *post.tags])
    return sum(tag.startswith("I-") and before[2:] != tag[2:] for before, tag in pairs)


def _posts(path: Path, lines: list[str]) -> Iterator[LabelledPost]:
    image_id, tokens, tags = "", list[str](), list[str]()
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip() or line.startswith(("IMGID:", "-DOCSTART-")):
            if tokens:
                yield LabelledPost(tokens, tags, image_id)
                image_id, tokens, tags = "", [], []
            if line.startswith("IMGID:"):
                image_id = line.removeprefix("IMGID:").strip()
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        token, tag = columns[0], columns[-1].strip()
        if len(columns) == 2 and not token and tag == "O":  # occurs in BTC
            log.warning("%s:%d: skipped a tag without a token", path, number)
            continue
        if len(columns) < 2 or not token or (tag != "O" and (tag[:2] not in ("B-", "I-") or not tag[2:])):
            raise DataError(f"{path}:{number}: expected token<TAB>BIO tag, got {line!r}")
        tokens.append(token)
        tags.append(tag)
