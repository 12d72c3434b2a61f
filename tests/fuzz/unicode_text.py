"""Text that breaks things: endless grapheme clusters, other directions, controls, entities, tokens of every kind."""

import random

PIECES = (
    "\u0000", "\u0001\u001f\u007f\u0085", "\u200d", "\u200c\u200b", "\ufeff", "\ufffe\uffff", "\ufffd",
    "\u2028\u2029", "\u202e", "\u202d\u2066\u2069", "\u061c", "שלום", "مرحبا", "e\u0301", "\u0301",
    "a" + "\u0336" * 60, "ﷺ", "ﬁ", "İ", "ß", "ẞ", "ŉ", "Ǆ", "👨\u200d👩\u200d👧\u200d👦", "👍🏿", "🇨🇦", "🇨",
    "🏴\U000e0067\U000e0062\U000e007f", "\U0010ffff", "𝕽𝖔𝖒𝖊", "🂡", "東京", "서울", "กรุงเทพ", "हिन्दी", "ⅷ", "①",
    "１２", "٣", "\u1680\u3000", "\u00ad", "\u034f", "\u115f", "\ud7a3", "ǰ", "&amp;", "&#x41;", "&#0;",
    "&#xd800;", "&#" + "9" * 5000 + ";", "&" * 50, "HTTP://x.y/&#" + "8" * 4400 + ";", "&lt", "#", "##", "＃",
    "@", "#_", "#\u200d", "#" + "aB" * 300, "#1", "#東京", "@\u0301", "www.", "https://", "http://a b", "'s", "’",
    "a-", "U.S.", "1,2,3", "10:30:", "\\", '"', "{}", "%s%n", "$(id)", "'; DROP TABLE", "<script>", "../..",
    "\r\n", "\t", " " * 40, "x" * 3000, "-" * 300, "," * 200, "1" * 400,
)  # fmt: skip


def nasty(draw: random.Random, most: int = 6) -> str:
    """Some such pieces in a row, now and then many times over, or random code points."""
    if draw.random() < 0.2:
        return "".join(_any_character(draw) for _ in range(draw.randint(1, 40)))
    pieces = draw.choices(PIECES, k=draw.randint(1, most))
    text = draw.choice(("", " ")).join(pieces)
    return text * draw.randint(2, 40) if draw.random() < 0.05 and len(text) < 400 else text


def with_nasty(draw: random.Random, text: str) -> str:
    """`text` with such pieces put in at some places."""
    for _ in range(draw.randint(1, 3)):
        place = draw.randint(0, len(text))
        text = text[:place] + nasty(draw) + text[place:]
    return text


def _any_character(draw: random.Random) -> str:
    """Any code point that is no surrogate; each plane of use about as often."""
    top = draw.choice((0x7F, 0xFF, 0xFFF, 0xD7FF, 0xFFFF, 0x10FFFF))
    code = draw.randint(0, top)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
