"""The tokenizer cuts as the Twitter sets do, and never loses where a token stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.reading import read
from models.text.tokenizer import Kind, hashtags_in, tokenize
from tests.support.cost import cpu_seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @JayKenMinaj: hi", ["RT", "@JayKenMinaj", ":", "hi"]),
        ("Toronto's #MapleLeafs", ["Toronto", "'s", "#MapleLeafs"]),
        ("O'Brien, AT&T &amp; U.S.", ["O'Brien", ",", "AT&T", "&amp;", "U.S."]),
        ("see https://t.co/a?b=1 !", ["see", "https://t.co/a?b=1", "!"]),
        ("# NBA at 10:30", ["#", "NBA", "at", "10:30"]),
        ("love 👨‍👩‍👧🇨🇦!", ["love", "👨‍👩‍👧", "🇨🇦", "!"]),
        ("e\u0301te\u0301 नमस्ते", ["e\u0301te\u0301", "नमस्ते"]),
        ("東京 2020", ["東", "京", "2020"]),
        (" \n\t", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert expected == [token.text for token in tokenize(text)]


@given(st.text(max_size=60))
def test_tokens_are_slices_of_the_text_in_order_and_leave_only_what_is_not_seen(text: str) -> None:
    """White space, invisible characters, and what the same entity or character is read as besides."""
    position, gaps = 0, ""
    for token in tokenize(text):
        assert text[token.start : token.end] == token.text != ""
        gaps += text[position : token.start]
        position = token.end
    gaps += text[position:]
    assert all(character.isspace() or not read_as(character).strip() for character in gaps)


def read_as(character: str) -> str:
    reading = read(character)
    return character if reading is None else reading.text


def test_hashtags_in_both_spellings() -> None:
    """Twitter-2015 writes `#NBA`, Twitter-2017 `#`, `NBA`."""
    assert ["Riga", "NBA"] == hashtags_in(["#Riga", "#", "NBA", "#", ":", "#"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京でTaylor Swiftのライブ", ["東", "京", "で", "Taylor", "Swift", "の", "ライブ"]),
        ("일론머스크 Elon Musk가 Tesla를", ["일론머스크", "Elon", "Musk", "가", "Tesla", "를"]),
        ("วันนี้Taylor Swiftมาbangkok", ["วันนี้", "Taylor", "Swift", "มา", "bangkok"]),
        ("iPhone15を買った", ["iPhone15", "を", "買", "った"]),
        ("ភាសាFacebookនេះ", ["ភាសា", "Facebook", "នេះ"]),
        ("ລາວTikTokລາວ", ["ລາວ", "TikTok", "ລາວ"]),
        ("မြန်မာGoogleမြန်မာ", ["မြန်မာ", "Google", "မြန်မာ"]),
        ("Apple-ом и iPhone'ы", ["Apple", "-", "ом", "и", "iPhone", "'", "ы"]),
        ("الـTwitter", ["الـ", "Twitter"]),
        ("@NASA가 #BTS는", ["@NASA", "가", "#BTS는"]),
        (
            "Beyonce\u0301 Beyoncé 49ers µTorrent C3PO",
            ["Beyonce\u0301", "Beyoncé", "49ers", "µTorrent", "C3PO"],
        ),
        ("a 5-year-old, 6-3 and 4-0", ["a", "5-year-old", ",", "6-3", "and", "4-0"]),
        ("ﾃｲﾗｰとTaylor", ["ﾃｲﾗｰ", "と", "Taylor"]),
    ],
)
def test_words_end_where_their_script_does(text: str, expected: list[str]) -> None:
    assert expected == [token.text for token in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "I&#x27;m O&apos;Brien&nbsp;here",
            [("I", 0, 1), ("'m", 1, 8), ("O'Brien", 9, 21), ("here", 27, 31)],
        ),
        ("a &amp;lt; b", [("a", 0, 1), ("<", 2, 10), ("b", 11, 12)]),
        ("caf&eacute;", [("café", 0, 11)]),
        ("&nosuch;", [("&", 0, 1), ("nosuch", 1, 7), (";", 7, 8)]),
        ("\u200bTaylor\u200b Swift\u2069", [("Taylor", 1, 7), ("Swift", 9, 14)]),
        ("Lon\u00addon\ufeff", [("London", 0, 7)]),
        ("\u3164 \u200b\u202e", []),
        ("\U000e0041x\ufe0f", [("x", 1, 2)]),
        ("𝐄𝐥𝐨𝐧 Ｔａｙ", [("Elon", 0, 4), ("Tay", 5, 8)]),
        ("ᴛᴀʏʟᴏʀ sᴡɪғᴛ", [("taylor", 0, 6), ("swift", 7, 12)]),
        ("Ⓜⓔⓢⓢⓘ 🅣🅐🅨", [("Messi", 0, 5), ("TAY", 6, 9)]),
        ("ﬁne Nike™ x²", [("fine", 0, 3), ("Nike", 4, 8), ("™", 8, 9), ("x²", 10, 12)]),
        ("Hawaiʻi", [("Hawai’i", 0, 7)]),
    ],
)
def test_what_is_read_has_its_place_in_the_original(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert expected == [(token.seen, token.start, token.end) for token in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("@jordan.bsky.social @nasa.gov, hi", Kind.HANDLE, ["@jordan.bsky.social", "@nasa.gov"]),
        ("@user@mastodon.social!", Kind.HANDLE, ["@user@mastodon.social"]),
        ("ask a.b+c@mail.example.org.", Kind.EMAIL, ["a.b+c@mail.example.org"]),
        ("mailto:paris@london.com?subject=x", Kind.EMAIL, ["mailto:paris@london.com?subject=x"]),
        ("//london.com/paris", Kind.URL, ["//london.com/paris"]),
        ("ftp://paris.example/x at://did:plc:x", Kind.URL, ["ftp://paris.example/x", "at://did:plc:x"]),
        ("http://example.com/path,London", Kind.URL, ["http://example.com/path"]),
        ("see https://t.co/ab… and https://…", Kind.URL, ["https://t.co/ab", "https://"]),
        ("end.Next hello.World said.it Bright.md", Kind.URL, []),
        ("in lemonde.fr, spiegel.de", Kind.URL, ["lemonde.fr", "spiegel.de"]),
        ("Messi🐐in🇫🇷 1️⃣ 👩🏽‍🚀 Nike™", Kind.EMOJI, ["🐐", "🇫🇷", "1️⃣", "👩🏽‍🚀"]),
        ("#1 #2024 #NBA2k", Kind.NUMBER_TAG, ["#1", "#2024"]),
        ("Berlin-Paris Toronto-based Winston-Salem", Kind.COMPOUND, ["Berlin-Paris", "Toronto-based"]),
        ("\n\na\r\n\u2028b\x85c\n", Kind.LINE_END, ["\r\n", "\x85"]),
    ],
)
def test_kinds(text: str, kind: Kind, expected: list[str]) -> None:
    assert expected == [token.text for token in tokenize(text) if token.kind is kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("McDonald's, Levi’s", ["McDonald's", ",", "Levi’s"]),
        ("London's and Trader Joe's", ["London", "'s", "and", "Trader", "Joe's"]),
        ("Joe's car, MACY'S, Wendy's", ["Joe", "'s", "car", ",", "MACY'S", ",", "Wendy", "'s"]),
    ],
)
def test_names_that_end_in_s(text: str, expected: list[str]) -> None:
    assert expected == [token.text for token in tokenize(text)]


def test_a_number_is_no_hashtag() -> None:
    assert ["4ever"] == hashtags_in(["#", "1", "#2024", "#4ever"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("_Joe Biden_", ["_", "Joe", "Biden", "_"]),  # Markdown
        ("__London__ snake_case", ["__", "London", "__", "snake_case"]),
        ("東京_Paris_", ["東", "京", "_", "Paris", "_"]),
        ("T_T 1_000", ["T_T", "1_000"]),
        ("London\x1eParis\x1c", ["London", "Paris"]),  # information separators
        ("London&shy &laquo", ["London", "«"]),
        ("&amp;amp;lt;b &amp;amp;", ["<", "b", "&"]),
    ],
)
def test_what_surrounds_a_word(text: str, words: list[str]) -> None:
    assert [token.seen for token in tokenize(text)] == words


@pytest.mark.parametrize(
    ("text", "emoji"),
    [
        ("Ob1\ufe0f\u20e3am", ["1\ufe0f\u20e3"]),
        ("#London1\u20e3", ["1\u20e3"]),
        ("Obama\u20e3", ["\u20e3"]),
        ("in\U0001f3fd London \U0001f3fd", ["\U0001f3fd", "\U0001f3fd"]),
        ("🇺🇸🇬🇧🇺", ["🇺🇸", "🇬🇧", "🇺"]),
    ],
)
def test_parts_of_emoji_are_emoji(text: str, emoji: list[str]) -> None:
    assert [token.text for token in tokenize(text) if token.kind is Kind.EMOJI] == emoji


@pytest.mark.parametrize(
    ("text", "before", "url"),
    [
        ("London-https://t.co/x", ["London", "-"], "https://t.co/x"),
        ("Obama&https://t.co/x", ["Obama", "&"], "https://t.co/x"),
        ("Obama.https://t.co/x", ["Obama", "."], "https://t.co/x"),
        ("A&www.x.com/London", ["A", "&"], "www.x.com/London"),
    ],
)
def test_a_url_joined_to_a_word_is_not_part_of_it(text: str, before: list[str], url: str) -> None:
    *words, last = tokenize(text)
    assert ([token.text for token in words], last.text, last.kind) == (before, url, Kind.URL)


@pytest.mark.parametrize(
    "unit",
    [
        *(".", "-", ":", "%", "+", "東"),
        *("あア", "1あ", "a..", "a+", "a%", "éa.", "🇺🇸", "a-", "a@"),
        *("a.", "mailto:", "mailto:a@b.co?"),
    ],
)
def test_cost_is_linear_in_the_length(unit: str) -> None:
    assert cpu_seconds(lambda: tokenize(unit * (40_000 // len(unit)))) < 4


def test_an_entity_escaped_very_often_costs_little() -> None:
    text = "&" + "amp;" * 100_000 + "quot;"
    assert [token.seen for token in tokenize(text)] == ['"']
    assert cpu_seconds(lambda: tokenize(text)) < 4
