"""The shipped checkpoint on what real feeds contain: the mentions, and their place in the original text."""

import pytest

from models import DEFAULT_CHECKPOINT
from models.inference.tagger import Tagger

CASES = [
    ("東京でTaylor Swiftのライブ", ["PER Taylor Swift 3-15"]),
    ("일론머스크 Elon Musk가 Tesla를", ["PER Elon Musk 6-15", "ORG Tesla 17-22"]),
    ("วันนี้Taylor Swiftมาbangkok", ["PER Taylor Swift 6-18", "LOC bangkok 20-27"]),
    ('https://t.co/abc"London"', ["LOC London 17-23"]),
    ("(https://t.co/abc)Paris", ["LOC Paris 18-23"]),
    ("http://example.com/path,London is calling", ["LOC London 24-30"]),
    ("見て https://t.co/abc。Toyotaの新車", ["ORG Toyota 20-26"]),
    ("(see https://t.co/abc),London wins", ["LOC London 23-29"]),
    ("apnews.com/article/ukraine-russia-war", []),
    ("bsky.app/profile/jordan.bsky.social", []),
    ("check out nytimes.com/2024/trump for more", []),
    ("pic.twitter.com/LonDon12", []),
    ("mailto:paris@london.com", []),
    ("bbc.co.uk/sport/football/chelsea", []),
    ("//london.com/paris", []),
    ("youtube.com/@TaylorSwift", []),
    ("@jordan.bsky.social @nasa.gov @paris.fr said hello to Berlin", ["LOC Berlin 54-60"]),
    ("I&#x27;m in Paris with O&apos;Brien&nbsp;tonight", ["LOC Paris 12-17", "PER O&apos;Brien 23-35"]),
    (
        "Taylor\u200b Swift in \u200bLondon\u200b",
        ["PER Taylor\u200b Swift 0-13", "LOC London 18-24"],
    ),
    ("\u202aTaylor Swift\u202c in \u2068London\u2069", ["PER Taylor Swift 1-13", "LOC London 19-25"]),
    ("London\u2028Paris\u2029Rome", ["LOC London 0-6", "LOC Paris 7-12", "LOC Rome 13-17"]),
    (
        "Shows:\nLondon\nParis\nNew York\n\nTaylor Swift\nHarry Styles",
        [
            *("LOC London 7-13", "LOC Paris 14-19", "LOC New York 20-28"),
            *("PER Taylor Swift 30-42", "PER Harry Styles 43-55"),
        ],
    ),
    ("𝐄𝐥𝐨𝐧 𝐌𝐮𝐬𝐤 visits 𝐁𝐞𝐫𝐥𝐢𝐧", ["PER 𝐄𝐥𝐨𝐧 𝐌𝐮𝐬𝐤 0-9", "LOC 𝐁𝐞𝐫𝐥𝐢𝐧 17-23"]),
    (
        "Ｔａｙｌｏｒ Ｓｗｉｆｔ in Ｌｏｎｄｏｎ",
        ["PER Ｔａｙｌｏｒ Ｓｗｉｆｔ 0-12", "LOC Ｌｏｎｄｏｎ 16-22"],
    ),
    (
        "McDonald's opens in Moscow; Levi's too",
        ["ORG McDonald's 0-10", "LOC Moscow 20-26", "ORG Levi's 28-34"],
    ),
    ("Wendy's feelings were so hurt", ["PER Wendy 0-5"]),
    (
        "happening in Syria Palestine Mali today",
        ["LOC Syria 13-18", "LOC Palestine 19-28", "LOC Mali 29-33"],
    ),
    ("Breaking: Mayor of London Sadiq Khan says...", ["LOC London 19-25", "PER Sadiq Khan 26-36"]),
]


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load(DEFAULT_CHECKPOINT, "cpu")


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_mentions(tagger: Tagger, text: str, expected: list[str]) -> None:
    assert expected == [f"{m.type} {m.text} {m.start}-{m.end}" for m in tagger.tag([text])[0]]


def test_handles_are_mentions_where_they_are_to_be_tagged() -> None:
    text = "@anna_k happy birthday!! love u so much <3"
    assert ["@anna_k"] == [
        m.text for m in Tagger.load(DEFAULT_CHECKPOINT, "cpu", handles="tag").tag([text])[0]
    ]
    assert [] == Tagger.load(DEFAULT_CHECKPOINT, "cpu").tag([text])[0]
