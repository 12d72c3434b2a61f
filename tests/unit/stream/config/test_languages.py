"""The languages of the setting, and the language tags of posts."""

from pathlib import Path

import pytest

from stream.config.languages import DETECTABLE, codes
from stream.config.loading import load_settings
from stream.errors import SettingsError
from stream.local.supervisor import worker_children


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("en", ("en",)),
        ("en, de", ("en", "de")),
        ("EN,eng,en", ("en",)),
        ("*", ("*",)),
        ("nb", ("no",)),
        ("cmn", ("zh",)),
        ("iw,ger,tl", ("he", "de", "fil")),
        ("yue", ("yue",)),
    ],
)
def test_codes_of_any_form_become_those_of_the_detector(value: str, expected: tuple[str, ...]) -> None:
    assert expected == load_settings(None, [f"worker.languages={value}"], {}).worker.languages


def test_english_is_the_default_and_the_file_has_a_list(tmp_path: Path) -> None:
    assert ("en",) == load_settings(None, [], {}).worker.languages
    file = tmp_path / "settings.toml"
    file.write_text('[worker]\nlanguages = ["en", "ja"]\n')
    assert ("en", "ja") == load_settings(file, [], {}).worker.languages


def test_workers_of_trimod_up_get_the_languages() -> None:
    settings = load_settings(None, ["worker.languages=en,ja"], {})
    for child in worker_children(settings, 2):
        assert ("en", "ja") == load_settings(environ=child.environ).worker.languages


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", r"expected at least one language, or \[\"\*\"\] for all"),
        ("*,en", "means all languages: remove it, or the others"),
        ("en,xx", "unknown language 'xx'"),
        ("english", "unknown language 'english'"),
        ("qme", "unknown language 'qme'"),
        ("und", "unknown language 'und'"),
        ("tlh", "unknown language 'tlh'"),
        ("en-GB", "regions and scripts are ignored: use 'en' instead of 'en-gb'"),
        ("zh_Hant", "regions and scripts are ignored: use 'zh'"),
    ],
)
def test_a_bad_list_stops_the_start_and_names_the_key(value: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=rf"worker\.languages.*{reason}"):
        load_settings(None, [f"worker.languages={value}"], {})


def test_a_number_is_not_a_language(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[worker]\nlanguages = [1]\n")
    with pytest.raises(SettingsError, match=r"worker\.languages\[0\]"):
        load_settings(file, [], {})


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("en", {"en"}),
        ("en-GB", {"en"}),
        ("en_US", {"en"}),
        ("EN-us", {"en"}),
        ("en_US.UTF-8", {"en"}),
        ("eng", {"en"}),
        ("pt-BR", {"pt"}),
        ("zh-Hant", {"zh"}),
        ("zh-CHS", {"zh"}),
        ("yue-Hant-HK", {"yue", "zh"}),
        ("arz", {"arz", "ar"}),
        ("nb-NO", {"nb", "no"}),
        ("iw", {"he"}),
        ("in", {"id"}),
        ("tl", {"fil"}),
        ("de, en", {"de", "en"}),
        ("tlh", {"tlh"}),
    ],
)
def test_tags_name_languages(tag: str, expected: set[str]) -> None:
    assert expected == codes(tag)


@pytest.mark.parametrize(
    "tag",
    ["", "und", "zxx", "mul", "mis", "art", "qam", "qme", "qht", "qst", "x-unknown", "English", "英語", "en" * 40,
     "xy", "null", "-", "C"],
)  # fmt: skip
def test_tags_that_name_no_language(tag: str) -> None:
    assert set() == codes(tag)


def test_the_codes_are_those_of_the_detector() -> None:
    from stream.messages.language import NO_EVIDENCE, _detector

    labels = [label for label in _detector().labels if label != "zxx"]
    assert set(labels) - DETECTABLE == {"tl", "kik"}  # in the setting fil and ki
    assert all(codes(label) & DETECTABLE for label in labels)
    assert len(labels) == len(DETECTABLE)
    assert set(_detector().labels) >= NO_EVIDENCE
