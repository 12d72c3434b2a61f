"""Post number `index` of a seed: a real-looking post, damaged in one or two ways, in its fields or in its bytes."""

import base64
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz import byte_mutations as damage
from tests.fuzz.cases import BAD_POST, POISON, POISON_MARK, Case, draw_for
from tests.fuzz.images import bases
from tests.fuzz.oracle import verdict
from tests.fuzz.unicode_text import nasty, with_nasty

SAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "samples" / "posts.jsonl"
Fields = dict[str, Any]
NAMES = ("id", "text", "created_at", "author", "lang", "source", "hashtags", "images", "image")
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30, 10**400, 0.5, -0.0,
    1e308, 5e-324, "", " ", "0", "null", [], {}, [[]], [None], {"": None}, ["a", 1], {"id": "1"}, "x" * 600,
    ["x"] * 40, "2026-01-01T00:00:00Z",
)  # fmt: skip
ODD_TIMES: tuple[Any, ...] = (
    "2026-02-29T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01", "2026-01-01T24:00:00Z", "2026-06-30T23:59:60Z",
    "now", "2026-01-01t00:00:00z", "2026-01-01 00:00:00.123456+05:30", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "0000-01-01T00:00:00Z", "2026-W01-1T00:00:00Z", "20260101T000000Z",
    "٢٠٢٦-01-01T00:00:00Z", "2026-01-01T00:00:00+99:99", 0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 1.5,
    "1767225600000", "", "Z", "1" * 5000, "2026-01-01T00:00:00\u0000Z", 1767225600, 1767225600.5, 1767225600000000,
    "1767225600.5", 20260101, "20260101000000", "Wed Aug 27 13:08:45 +0000 2008", "Thu, 01 Jan 2026 10:00:00 GMT",
    "Thu Jan 01 2026 10:00:00 GMT+0100 (CET)", "2026-01-01T10:00:00,5+01:00[Europe/Paris]", {"$date": "2026-01-01"},
    {"$date": {"$numberLong": "1767225600000"}}, {"$date": {"$date": 1}}, [2026, 1, 1], [2026, 99, 1], "/Date(1)/",
)  # fmt: skip
NUMBERS = (
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "01", "+1", "1.", ".5", "0x1", "9" * 320,
    "9" * 5000, "-0", "1E5",
)  # fmt: skip
NO_OBJECTS = (
    None, b"", b" ", b"null", b"[]", b'"text"', b"7", b"{}", b"{}{}", b"[{}]", b"\xef\xbb\xbf{}", b"\0",
)  # fmt: skip
IMAGES: tuple[Any, ...] = (
    {"url": "https://pbs.twimg.com/a.jpg"}, {"url": "file:///etc/passwd"}, {"url": "http://[::1"},
    {"url": "https://\u0000"}, {"url": "https://ＰＢＳ.twimg.com:99999/"}, {"path": "../../etc/passwd"},
    {"path": "a\u0000b"}, {"path": "x" * 5000}, {"path": ""}, {"data": "no base64"}, {"data": "é"},
    {"data": ""}, {"data": "aGk"}, {"data": "aGk=\n"}, {"url": "a", "path": "b"}, {}, None, "a.jpg",
    {"data": "R0lGODlh", "alt": 7}, {"data": "R0lGODlh", "alt": "x" * 20_000}, {"data": 7},
    {"url": None, "data": "/9j/"}, "https://pbs.twimg.com/a.jpg?a=1&amp;b=2", "//i.redd.it/a.jpg", "", 7,
    "data:image/gif;base64,R0lGODlh", {"data": "data:image/gif;base64,R0lG\nODlh"}, {"data": "data:,%"},
    {"url": "data:image/png,\u0000"}, {"path": "https:&#x2F;&#x2F;[::1"}, {"data": "_9j-"}, [["a.jpg"]], {"url": {}},
)  # fmt: skip


LOOSE: dict[str, tuple[Any, ...]] = {
    "id": (7, 7.0, 2**70, {"$oid": "5f"}, {"$numberLong": "12"}, {"$oid": ["x"]}, {"id": 1}),
    "author": (7, 1.5, ["ann"], {"username": "ann", "id": 7}, {"user": {}}, [[]], "\ud83d", float("nan")),
    "source": (7, {"name": "x"}, [None], {"id": None}, "\udfff", float("-inf")),
    "lang": (["en"], {"code": "en"}, "x" * 99, ["en", 7], 0),
    "hashtags": (
        "#NBA #東京",
        [{"text": "NBA"}],
        [{"tag": None}],
        ["a", None],
        {"name": "x"},
        [7, 1.5, "\ud83d"],
        "#",
    ),
    "created_at": ODD_TIMES,
    "image": IMAGES,
    "score": (float("nan"), float("inf"), 10**400, 2**64),
}
"""Field -> values that other systems put there."""


def post_case(seed: int, index: int) -> Case:
    draw = draw_for("posts", seed, index)
    name = draw.choices(list(MUTATIONS), [weight for weight, _ in MUTATIONS.values()])[0]
    value = MUTATIONS[name][1](draw)
    if name == "poison":
        return Case(name, value, POISON)
    expected = verdict(value)
    if name in ALWAYS_BAD and expected != BAD_POST:
        raise AssertionError(f"the oracle takes what is {name} for a post: {value!r:.300}")
    return Case(name, value, expected)


@cache
def _samples() -> tuple[Fields, ...]:
    """The sample posts that are posts."""
    lines = SAMPLES.read_bytes().splitlines()
    return tuple(json.loads(line) for line in lines if verdict(line) == "tagged")


def _base(draw: random.Random) -> Fields:
    """A post with any of the fields there are."""
    fields = dict(draw.choice(_samples()))
    fields.pop("images", None)
    fields["id"] = draw.choice((fields["id"], draw.randrange(2**53), f"{draw.randrange(10**9)}"))
    if draw.random() < 0.3:
        fields["hashtags"] = draw.choices(
            ("NBA", "TorontoMapleLeafs", "東京", "Arctic2026", "_"), k=draw.randint(0, 5)
        )
    if draw.random() < 0.2:
        fields["images"] = [_image(draw) for _ in range(draw.choice((1, 1, 2, 4)))]
    if draw.random() < 0.3:
        fields["likes"] = {"count": draw.randrange(1000), "by": [None, 1.5, "x"]}
    return fields


def _image(draw: random.Random) -> Fields:
    data = base64.b64encode(bases()[draw.choice(list(bases()))][0]).decode()
    return {"data": data, "alt": draw.choice(("", "the Eiffel Tower at night", "a dog"))}


def _dumped(draw: random.Random, fields: Any) -> bytes:
    """JSON in one of the ways that people write it."""
    separators = draw.choice(((",", ":"), (", ", ": "), (" ,\n\t", "\r : ")))
    ascii_ = draw.random() < 0.5
    text = json.dumps(fields, ensure_ascii=ascii_, separators=separators)
    return text.encode("utf-8", "surrogatepass")


def _untouched(draw: random.Random) -> bytes:
    fields = list(_base(draw).items())
    draw.shuffle(fields)
    return _dumped(draw, dict(fields))


def _unicode(draw: random.Random) -> bytes:
    fields = _base(draw)
    for name in draw.sample(("text", "text", "text", "author", "source", "id", "lang"), k=2):
        fields[name] = with_nasty(draw, str(fields.get(name, "")))
    if draw.random() < 0.4:
        fields["hashtags"] = [nasty(draw) for _ in range(draw.randint(1, 50))]
    for image in fields.get("images", []):
        image["alt"] = nasty(draw)
    return _dumped(draw, fields)


def _surrogate(draw: random.Random) -> bytes:
    """Half a pair, escaped or as the bytes that it has no right to."""
    fields = _base(draw)
    half = chr(draw.randint(0xD800, 0xDFFF))
    name = draw.choice(("id", "text", "author", "other"))
    fields[name] = f"{fields.get(name, '')} {half} after"
    return _dumped(draw, fields)


def _types(draw: random.Random) -> bytes:
    fields = _base(draw)
    for _ in range(draw.choice((1, 1, 2))):
        fields[draw.choice(NAMES)] = draw.choice(ODD_VALUES)
    return _dumped(draw, fields)


def _dropped(draw: random.Random) -> bytes:
    fields = _base(draw)
    for name in draw.sample(sorted(fields), k=draw.randint(1, 3)):
        if draw.random() < 0.5:
            del fields[name]
        else:
            fields[name] = None
    return _dumped(draw, fields)


def _numbers(draw: random.Random) -> bytes:
    """Numbers that JSON does not know, or nobody can hold."""
    name = draw.choice(("id", "created_at", "other", "text"))
    return _dumped(draw, _base(draw) | {name: "@@"}).replace(b'"@@"', draw.choice(NUMBERS).encode())


def _times(draw: random.Random) -> bytes:
    return _dumped(draw, _base(draw) | {"created_at": draw.choice(ODD_TIMES)})


def _twice(draw: random.Random) -> bytes:
    """A key that comes twice: the last one counts."""
    whole = _dumped(draw, _base(draw))
    again = json.dumps({draw.choice(NAMES): draw.choice((*ODD_VALUES, "again"))}).encode()
    return whole.rstrip()[:-1] + b"," + again[1:]


def _nested(draw: random.Random) -> bytes:
    levels = draw.choice((10, 500, 2000, 100_000))
    deep = draw.choice(
        (b"[" * levels + b"]" * levels, b'{"a":' * levels + b"1" + b"}" * levels, b"[" * levels)
    )
    name = draw.choice(("other", *NAMES))
    return _dumped(draw, _base(draw) | {name: "@@"}).replace(b'"@@"', deep)


def _images(draw: random.Random) -> bytes:
    images = draw.choices(IMAGES, k=draw.choice((1, 2, 4, 5)))
    fields = {"images": images, "image": images[0]}
    for name in draw.choice((("images",), ("image",), ("image", "images"))):
        fields[name] = draw.choice((fields[name], images[0], images))
    return _dumped(draw, _base(draw) | fields)


def _loose(draw: random.Random) -> bytes:
    """Fields in the forms of other systems."""
    fields = _base(draw)
    for name in draw.sample(sorted(LOOSE), k=draw.randint(1, 3)):
        fields[name] = draw.choice(LOOSE[name])
    return draw.choice((b"", b"", b"\xef\xbb\xbf")) + _dumped(draw, fields)


def _enveloped(draw: random.Random) -> bytes:
    """Not a post, but in it there is one; with or without Confluent's first bytes."""
    fields = _base(draw)
    whole = draw.choice((
        {"schema": {}, "payload": fields}, {"schema": {}, "payload": {"before": None, "after": fields, "op": "c"}},
        {"before": None, "after": fields, "op": "u"}, {"data": fields}, {"data": [fields]}, [fields],
        json.dumps(fields),
    ))  # fmt: skip
    return draw.choice((b"", b"", b"\0\0\0\0\7")) + _dumped(draw, whole)


def _image_bytes(draw: random.Random) -> bytes:
    """Images damaged where they lie, in base64 and all."""
    fields = _base(draw)
    image = _image(draw)
    how = draw.choice(list(damage.ANY.values()))
    image["data"] = how(draw, image["data"].encode()).decode("ascii", "replace")
    return _dumped(draw, fields | {"images": [image]})


def _many(draw: random.Random) -> bytes:
    """Lists without end: wrong in every item, or right."""
    few, many = 100, draw.choice((1000, 200_000))
    items: Any = draw.choice(
        (["a"] * many, [f"tag{n}" for n in range(many)], [0] * many, [{}] * many, [None] * many)
    )
    field = draw.choice(("hashtags", "images", "other"))
    return _dumped(draw, _base(draw) | {field: items} | {f"field {n}": n for n in range(few)})


def _long(draw: random.Random) -> bytes:
    """Text of many sizes, up to 10 MB."""
    most = draw.choice((1000, 3000, 100_000, 100_001, 10_000_000))
    piece = draw.choice(
        ("Auston Matthews in Toronto. ", "#NBA ", "x", "漢字", "\U0001f600 ", "a\u0301", "\u0000")
    )
    if most == 100_000:
        piece = draw.choice(
            ("Toronto Maple Leafs won the game, and nobody noticed! ", "x", "#" + "aB" * 500 + " ")
        )
    return _dumped(draw, _base(draw) | {"text": (piece * (most // len(piece) + 1))[:most]})


def _no_object(draw: random.Random) -> bytes | None:
    return draw.choice(NO_OBJECTS)


def _random_bytes(draw: random.Random) -> bytes:
    return draw.randbytes(draw.randint(1, 300))


def _encoded(draw: random.Random) -> bytes:
    """In an encoding that is not UTF-8, or with a mark that says that it is."""
    text = json.dumps(_base(draw) | {"author": "Zoë 東京"}, ensure_ascii=False)
    return text.encode(draw.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7", "utf-16-le")))


def _cut(draw: random.Random) -> bytes:
    return damage.cut(draw, _dumped(draw, _base(draw)))


def _spliced(draw: random.Random) -> bytes:
    return damage.splice(draw, _dumped(draw, _base(draw)), _dumped(draw, _base(draw)))


def _damaged(how: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random], bytes]:
    makers = (_untouched, _untouched, _unicode, _image_bytes)
    return lambda draw: how(draw, draw.choice(makers)(draw))


def _poison(draw: random.Random) -> bytes:
    fields = _base(draw)
    return _dumped(draw, fields | {"text": f"{fields['text']} {POISON_MARK}"})


ALWAYS_BAD = frozenset({"cut", "no object", "random bytes", "enveloped"})
"""What these make is never a post, whatever else it is."""
MUTATIONS: dict[str, tuple[float, Callable[[random.Random], bytes | None]]] = {
    "untouched": (6, _untouched),
    "unicode": (22, _unicode),
    "types": (8, _types),
    "fields dropped": (4, _dropped),
    "numbers": (4, _numbers),
    "times": (4, _times),
    "key twice": (4, _twice),
    "nested": (1.5, _nested),
    "images": (5, _images),
    "other forms": (6, _loose),
    "enveloped": (1, _enveloped),
    "image bytes": (1.5, _image_bytes),
    "surrogate": (3, _surrogate),
    "encoding": (2, _encoded),
    "random bytes": (2, _random_bytes),
    "no object": (1, _no_object),
    "cut": (6, _cut),
    "spliced": (5, _spliced),
    "flipped": (9, _damaged(damage.flip)),
    "taken out": (4, _damaged(damage.take_out)),
    "put twice": (4, _damaged(damage.put_twice)),
    "put in": (4, _damaged(damage.put_in)),
    "blanked": (2, _damaged(damage.blank)),
    "many items": (0.05, _many),
    "long text": (0.08, _long),
    "poison": (0.3, _poison),
}
"""Name -> (how often, what makes it)."""
