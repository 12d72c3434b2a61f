"""Which URLs are asked for an image: one spelling per host, and nothing hides what is meant."""

import socket
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from stream.config.images import Fetch
from stream.config.loading import load_settings
from stream.config.settings import Settings
from stream.errors import SettingsError
from stream.images.outcomes import BAD_URL, HOST_NOT_ALLOWED, ImageOutcome, NotFetched
from stream.images.url_policy import UrlRules
from stream.local.supervisor import environment

ANY = UrlRules(("*",))
CDN = UrlRules(Fetch().hosts)


def outcome(rules: UrlRules, url: str) -> ImageOutcome | str:
    try:
        return str(rules.check(url))
    except NotFetched as error:
        return error.outcome


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0177.0.0.1", "017700000001", "0x7f.1", "0x7f000001",
        "0x7F.0x0.0x0.0x1", "127.0.0.1.", "１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "0177.0x0.0.1",
    ],
)  # fmt: skip
def test_every_spelling_of_an_ipv4_address_becomes_the_one(host: str) -> None:
    assert "https://127.0.0.1/a.png" == outcome(ANY, f"https://{host}/a.png")
    assert HOST_NOT_ALLOWED == outcome(CDN, f"https://{host}/a.png")


@pytest.mark.parametrize(
    ("host", "one"),
    [
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        ("[::FFFF:7F00:1]", "[::ffff:7f00:1]"),
        ("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]"),
    ],
)
def test_every_spelling_of_an_ipv6_address_becomes_the_one(host: str, one: str) -> None:
    assert URL(f"https://{one}/") == URL(str(outcome(ANY, f"https://{host}/")))


@pytest.mark.parametrize(
    "url",
    [
        "", "a.png", "//i.redd.it/a.png", "/etc/passwd", "file:///etc/passwd", "ftp://i.redd.it/a.png",
        "gopher://i.redd.it/", "data:image/png;base64,AAAA", "javascript:alert(1)", "http://i.redd.it/a.png",
        "https://", "https:///a.png", "https://./", "https://../", "https://localhost/", "https://redis/",
        "https://i.redd.it:8443/", "https://i.redd.it:6379/", "https://i.redd.it:0/",
        "https://i.redd.it:99999/", "https://i.redd.it:443:80/", "https://i.redd.it:x/",
        "https://user@i.redd.it/a.png", "https://user:secret@i.redd.it/a.png", "https://:@i.redd.it/",
        "https://i.redd.it@127.0.0.1/", "https://i.redd.it:443@127.0.0.1/", "https://i.redd.it\\@127.0.0.1/",
        "https://i.redd.it\t/", "https://i.redd.it\r\nHost: x/", "https://i.redd.it /", " https://i.redd.it/",
        "https://i.redd.it\0/", "https://%31%32%37.0.0.1/", "https://127.0.0.1%00.redd.it/",
        "https://i..redd.it/", "https://-i.redd.it/", "https://i.redd.it../", "https://[::1%25eth0]/",
        "https://[fe80::1%eth0]/", "https://[::1/", "https://[127.0.0.1]/", "https://[v1.a]/",
        "https://256.0.0.1/", "https://1.2.3.4.5/", "https://09.0.0.1/", "https://i.redd.it.0x/",
        "https://a.1/", "https://4294967296/", "https://" + "a" * 64 + ".it/", "https://" + "a." * 130 + "it/",
        "https://i.redd.it/" + "a" * 5000,
    ],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    assert BAD_URL == outcome(ANY, url)


def test_hosts_are_compared_in_one_spelling() -> None:
    for host in ("pbs.twimg.com", "PBS.TwImg.Com", "pbs.twimg.com.", "pbs.twimg.com:443", "ⓟbs.twimg.com"):
        assert "https://pbs.twimg.com/a?b=c" == outcome(CDN, f"https://{host}/a?b=c#d")


@pytest.mark.parametrize(
    "host",
    [
        "twimg.com", "evilpbs.twimg.com", "pbs.twimg.com.evil.com", "pbs.twimg.com․evil.com", "fbcdn.net",
        "evilfbcdn.net", "a.fbcdn.net.evil.com", "рbs.twimg.com", "x.pbs.twimg.com", "example.com",
    ],
)  # fmt: skip
def test_hosts_that_only_look_allowed(host: str) -> None:
    assert HOST_NOT_ALLOWED == outcome(CDN, f"https://{host}/a.png")


@pytest.mark.parametrize("host", ["a.fbcdn.net", "scontent-a.xx.fbcdn.net", "64.media.tumblr.com"])
def test_a_star_stands_for_all_below(host: str) -> None:
    assert f"https://{host}/a" == outcome(CDN, f"https://{host}/a")


def test_no_host_is_allowed_where_none_is_named_and_each_where_any_is() -> None:
    assert HOST_NOT_ALLOWED == outcome(UrlRules(()), "https://pbs.twimg.com/")
    assert "https://xn--bcher-kva.example/" == outcome(ANY, "https://bücher.example/")


def test_http_by_setting_only() -> None:
    rules = UrlRules(("i.redd.it",), http=True)
    for url in ("http://i.redd.it/a", "http://i.redd.it:443/a", "https://i.redd.it:80/a"):
        assert url == outcome(rules, url)
    assert BAD_URL == outcome(rules, "ftp://i.redd.it/a")
    assert BAD_URL == outcome(rules, "http://i.redd.it:8080/a")


def test_hosts_come_from_the_environment_and_go_on_to_workers(tmp_path: Path) -> None:
    """`trimod up` hands its settings on by the environment, where a list is one text."""
    file = tmp_path / "trimod.toml"
    file.write_text('[fetch]\nhosts = ["i.redd.it", "*.fbcdn.net"]\n')
    expected = ("i.redd.it", "*.fbcdn.net")
    assert expected == load_settings(file, [], {}).fetch.hosts
    assert expected == load_settings(None, ["fetch.hosts=i.redd.it, *.fbcdn.net"], {}).fetch.hosts
    assert () == load_settings(None, [], {"TRIMOD_FETCH__HOSTS": ""}).fetch.hosts
    for settings in (Settings(), load_settings(file, [], {})):
        own = {
            name: value for name, value in environment(settings).items() if name.startswith("TRIMOD_FETCH")
        }
        assert settings.fetch == load_settings(None, [], own).fetch
        assert settings.fetch == Settings.model_validate_json(settings.model_dump_json()).fetch


@pytest.mark.parametrize("host", ["https://i.redd.it", "I.redd.it", "redis", "*.", "i.*.it", "i.redd.it:443"])
def test_a_host_that_could_never_fit_stops_the_start(host: str) -> None:
    with pytest.raises(
        SettingsError, match=r"fetch\.hosts.*expected a host name in lower case, such as pbs\.twimg\.com"
    ):
        load_settings(None, [f"fetch.hosts={host}"], {})


NUMBERS = st.integers(0, 2**32 - 1)
WRITERS = st.sampled_from(("{}", "{:#x}", "0{:o}"))


@given(NUMBERS, st.integers(1, 4), st.lists(WRITERS, min_size=4, max_size=4))
def test_all_numeric_spellings_of_all_addresses(number: int, parts: int, writers: list[str]) -> None:
    """One to four parts, each decimal, octal or hexadecimal; the last one holds the rest of the bytes."""
    octets = number.to_bytes(4, "big")
    values = [*octets[: parts - 1], int.from_bytes(octets[parts - 1 :], "big")]
    host = ".".join(writer.format(value) for writer, value in zip(writers, values, strict=False))
    assert f"https://{socket.inet_ntoa(octets)}/" == outcome(ANY, f"https://{host}/")


PIECES = (
    "https://", "http://", "//", "/", "\\", "@", ":", "#", "?", "%00", "%2e", ".", "。", "[", "]", "::1",
    "pbs.twimg.com", "127.0.0.1", "0x7f", "evil.com", "user", "443", "80", " ", "\n", "\t", "*",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=9).map("".join)


@given(TEXTS | TEXTS.map("https://".__add__))
@example("https://pbs.twimg.com/\ud800")
def test_whatever_passes_is_what_the_rules_say(text: str) -> None:
    """And it passes a second time unchanged: what is checked and what is connected to cannot differ."""
    found = outcome(CDN, text)
    if found in (BAD_URL, HOST_NOT_ALLOWED):
        return
    url = URL(str(found))
    assert ("https", None, None, "") == (url.scheme, url.user, url.password, url.fragment)
    assert url.port in (80, 443)
    host = url.raw_host or ""
    assert host in CDN.hosts or any(host.endswith(name[1:]) for name in CDN.hosts if name[0] == "*")
    assert url == CDN.check(str(url))
