"""Language codes: those that a worker can be set to, and how the tags of posts are read.

A code is the primary language of a BCP 47 tag. Regions and scripts are ignored: en-GB and en_US are en.
"""

import re
from functools import lru_cache
from typing import Annotated

from langcodes import Language
from langcodes.tag_parser import LanguageTagError
from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from stream.config.base import split_names

ANY = "*"
_DETECTABLE = """
    ace af am an ar ary arz as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext fa fi
    fil fo fr fuv fy ga gcf gcr gd gl gom grc gu gug guw ha hbo he hi hr ht hu hy id ig is it ja jv ka kab
    ki kk km kn ko ku ky la lb lg lij ln lo lt ltg lv mg mk ml mn mr ms mt my ne nl nn no nso oc om or pa
    pcm pl ps pt qu ro ru rw sa sdh se si sk sl sn so sq sr st sv sw ta te tg th tk tr tt ug uk ur uz uzs
    vec vi vo wa wuu xh yo yue zh zu
"""
DETECTABLE = frozenset(_DETECTABLE.split())
"""Codes of the languages that the detector of stream/messages/language.py knows."""
NO_LANGUAGE = frozenset(("und", "mul", "mis", "zxx", "art"))
"""Codes of BCP 47 for an unknown language, for several, and for none."""
MAX_TAG = 64
"""Characters over which a tag is not read."""
_MEMBERS = {
    "no": "nb nn",
    "zh": "yue wuu hak nan gan hsn cdo lzh",
    "ar": "arz ary arq apc ajp acm afb ars apd aeb ayl",
    "uz": "uzs",
    "ku": "sdh",
}
_GROUP = {member: group for group, members in _MEMBERS.items() for member in members.split()}
"""ISO 639-3's macrolanguages whose members the library keeps apart: `ar` includes Egyptian Arabic."""


@lru_cache(4096)
def codes(tag: str) -> frozenset[str]:
    """The language codes of a post's tag, each with the code of the group of languages that it belongs to.

    `yue-Hant` is yue and zh (Chinese). A list such as `de, en` is read as several tags. Empty if the tag names no
    language: `und`, X's private codes (qme), and what is not a tag.
    """
    if len(tag) > MAX_TAG:
        return frozenset()
    found = [code for part in re.split(r"[\s,;|]+", tag) if (code := _code(part))]
    return frozenset(found) | {_group(code) for code in found}


def _code(tag: str) -> str | None:
    """The code of the language that one tag names; `.UTF-8` may follow it, as in locales."""
    try:
        code = Language.get(tag.partition(".")[0].strip("-_")).language
    except LanguageTagError:
        return None
    if (
        not code
        or not code.isalpha()
        or code in NO_LANGUAGE
        or "qaa" <= code <= "qtz"
        or not Language.make(code).is_valid()
    ):
        return None
    return code


def _group(code: str) -> str:
    return _GROUP.get(code) or Language.make(code).prefer_macrolanguage().language or code


def _language(tag: str) -> str:
    """The code of one language of the setting, as the detector has it."""
    if tag == ANY:
        return tag
    code = _code(tag)
    if code and re.search("[-_]", tag):
        raise ValueError(f"regions and scripts are ignored: use {code!r} instead of {tag!r}")
    for known in (code, code and _group(code)):
        if known in DETECTABLE:
            return known
    raise ValueError(f"unknown language {tag!r}: expected a code such as en, de or ja, or *")


def _consistent(tags: tuple[str, ...]) -> tuple[str, ...]:
    if not tags:
        raise ValueError('expected at least one language, or ["*"] for all')
    if ANY in tags and set(tags) != {ANY}:
        raise ValueError('"*" means all languages: remove it, or the others')
    return tuple(dict.fromkeys(tags))


Languages = Annotated[
    tuple[Annotated[str, AfterValidator(_language)], ...],
    BeforeValidator(split_names),
    AfterValidator(_consistent),
    PlainSerializer(",".join, when_used="json"),
]  # as one text, so that a worker's environment can carry it
