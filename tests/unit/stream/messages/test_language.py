"""Posts in languages that are not wanted are told from others, by `lang` or by their text."""

import contextlib

import orjson
import pytest

from models.posts.post_json import Post
from stream.config.base import ROOT
from stream.messages.language import LanguageFilter, prose
from tests.support.cost import cpu_seconds

ENGLISH = LanguageFilter(("en",))


def wants(text: str, lang: str | None = None, languages: tuple[str, ...] = ("en",)) -> bool:
    return LanguageFilter(languages).wants(Post(id="1", text=text, lang=lang))


@pytest.mark.parametrize(
    "text",
    [
        "Die Bundesregierung plant neue Regeln für Hunde und Katzen",
        "Guten Morgen Welt! Heute fahren wir mit der Bahn nach Hamburg 🚆 https://t.co/abc",
        "RT @tagesschau: Der Bundestag hat am Freitag das neue Gesetz beschlossen #bundestag",
        "Le président a rencontré les maires à Lyon hier soir",
        "Mañana salimos temprano para la playa con toda la familia",
        "Il governo ha approvato la nuova legge di bilancio",
        "Amanhã vamos ao jogo do Benfica com os amigos",
        "Vandaag gaan we met de trein naar Amsterdam",
        "Dzisiaj jedziemy pociągiem do Warszawy",
        "Bugün arkadaşlarımla birlikte İstanbul'a gidiyoruz",
        "Selamat pagi semuanya, hari ini kita akan pergi ke Jakarta",
        "Сегодня мы едем на поезде в Москву",
        "今日は東京でTaylor Swiftのライブを見た",
        "오늘은 서울에서 친구를 만났어요",
        "今天我们坐火车去北京",
        "اليوم نسافر بالقطار إلى القاهرة",
        "आज हम ट्रेन से दिल्ली जा रहे हैं",
        "วันนี้เราไปเที่ยวกรุงเทพกัน",
        "Σήμερα πάμε με το τρένο στην Αθήνα",
        "היום אנחנו נוסעים ברכבת לתל אביב",
    ],
)
def test_texts_in_other_languages_are_not_wanted(text: str) -> None:
    assert not wants(text)


@pytest.mark.parametrize(
    "text",
    [
        "Auston Matthews is back! #TorontoMapleLeafs",
        "Real Madrid Barcelona Cristiano Ronaldo",
        "Los Angeles, California",
        "lol haha omg",
        "Sehr gut",
        "",
        "🔥🔥🔥 😂",
        "@user1 @user2 #Bundestag #Berlin https://spiegel.de/politik/deutschland/die-neue-regierung-steht",
        "Watching 呪術廻戦 with friends tonight",
        "New single 「夜に駆ける」 by YOASOBI is out now on Spotify",
        "Guten Morgen everyone, off to work in Berlin",
        "Ich liebe Taylor Swift and her new album is amazing",
        "RIP Diego Maradona",
        "GO BLUE LETS GOOOO",
        "ew suga on tea! wen i was yungr nd we adta giv stuf up 4 lent i gav up suga on ma tea",
    ],
)
def test_english_and_texts_too_short_to_tell_are_wanted(text: str) -> None:
    assert wants(text)


GERMAN = "Die Bundesregierung plant neue Regeln für Hunde und Katzen"
PLAIN = "The government is planning new rules for dogs and cats"


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        (GERMAN, "en", True),
        (GERMAN, "en-GB", True),
        (GERMAN, "de, en", True),
        (PLAIN, "de", False),
        (PLAIN, "de-AT", False),
        ("Paris", "fr", False),
        (GERMAN, "und", False),
        (GERMAN, "qme", False),
        (GERMAN, "", False),
        (GERMAN, "Englisch", False),
        (PLAIN, "und", True),
        (PLAIN, "zxx", True),
        (PLAIN, None, True),
    ],
)
def test_lang_decides_if_it_names_a_language(text: str, lang: str | None, expected: bool) -> None:
    assert expected == wants(text, lang)


@pytest.mark.parametrize(
    ("languages", "text", "expected"),
    [
        (("en", "ja"), "東京でTaylor Swiftのライブ", True),
        (("en", "ja"), GERMAN, False),
        (("de",), GERMAN, True),
        (("de",), PLAIN, False),
        (("no",), "I dag tar vi toget til Oslo sammen med venner", True),
        (("zh",), "今日我哋搭火車去廣州玩", True),
        (("ru",), "Сегодня мы едем на поезде в Москву", True),
        (("*",), GERMAN, True),
    ],
)
def test_other_languages_may_be_wanted(languages: tuple[str, ...], text: str, expected: bool) -> None:
    assert expected == wants(text, languages=languages)


def test_all_languages_need_no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.messages.language._detector", None)  # any use would raise
    assert wants(GERMAN, languages=("*",))
    assert wants(GERMAN, lang="de", languages=("*",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @ann.b: hello https://t.co/x_1 #Bundestag world", "hello world"),
        ("# Sunderland @ KalynReborn won", "won"),
        ("mail me@example.com or spiegel.de/die/neue-regierung now", "mail or now"),
        ("fish &amp; chips 🐟 100%", "fish chips"),
        ("l'été, don’t", "l'été don’t"),
    ],
)
def test_what_is_the_same_in_all_languages_is_removed(text: str, expected: str) -> None:
    assert expected == " ".join(prose(text).split())


def test_the_length_of_a_text_does_not_matter() -> None:
    assert not wants(GERMAN * 1500)
    assert 500 >= len(prose(GERMAN * 1500))


@pytest.mark.parametrize(
    "pattern", ["@", "a-", "a.", "-", "a@", ".", "&", "#", "aa", "www.", "a@.", "@a.", "😀"]
)
def test_no_text_takes_long(pattern: str) -> None:
    """Text that nearly matches a pattern everywhere: less than 100 ms each."""
    text = pattern * (2000 // len(pattern))
    assert 1 > cpu_seconds(lambda: [wants(text) for _ in range(10)])


def test_of_the_sample_posts_those_in_other_languages_are_not_wanted() -> None:
    """By their text alone, whatever their `lang`."""
    with (ROOT / "deploy" / "samples" / "posts.jsonl").open("rb") as lines:
        samples = [fields for line in lines if "text" in (fields := _fields(line))]
    found = [sample["id"] for sample in samples if not wants(str(sample["text"]))]
    other = [sample["id"] for sample in samples if sample.get("lang", "en") != "en"]
    assert (7, other) == (len(found), found)


def _fields(line: bytes) -> dict[str, object]:
    with contextlib.suppress(orjson.JSONDecodeError):
        fields: dict[str, object] = orjson.loads(line)
        return fields
    return {}
