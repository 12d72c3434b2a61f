"""`trimod tag`: the worker's settings hold for it too, and it says what it did without."""

import gzip
from collections.abc import Collection
from concurrent.futures import Executor
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from models.core.errors import UnreadableFile
from models.inference.tagger import Tagger
from stream.cli.tag import tag
from stream.config.images import Fetch
from stream.config.settings import Settings
from stream.images import url_fetcher
from stream.images.loader import Fetched
from stream.images.outcomes import HOST_AWAY
from stream.messages.posts import PostImage
from tests.support.tiny_checkpoint import tiny_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny checkpoint that the environment names."""
    path = tiny_checkpoint(tmp_path / "checkpoint")
    monkeypatch.setenv("TRIMOD_WORKER__CHECKPOINT", str(path))
    return path


def test_the_checkpoint_of_the_settings_is_taken(checkpoint: Path) -> None:
    done = CliRunner().invoke(tag, ["-", "--device", "cpu"], input="in Toronto\n")
    assert 0 == done.exit_code, done.output
    assert ("line 1", "in Toronto") == (orjson.loads(done.stdout)["id"], orjson.loads(done.stdout)["text"])
    (checkpoint / "config.json").unlink()
    assert 0 != CliRunner().invoke(tag, ["-", "--device", "cpu"], input="in Toronto\n").exit_code
    assert Settings().worker.checkpoint != checkpoint


@pytest.mark.usefixtures("checkpoint")
def test_weights_of_the_tokens_are_told_if_asked_for() -> None:
    told, plain = (
        orjson.loads(CliRunner().invoke(tag, ["-", "--device", "cpu", *asked], input="in Toronto\n").stdout)
        for asked in (["--weights"], [])
    )
    tokens = told.pop("tokens")
    assert plain == told
    assert [("in", 0, 2), ("Toronto", 3, 10)] == [(t["text"], t["start"], t["end"]) for t in tokens]
    assert {"text": 1.0, "image": 0.0, "hashtags": 0.0} == tokens[1]["weights"]


def test_images_that_cannot_be_had_are_named(checkpoint: Path, tmp_path: Path) -> None:
    images = [{"path": "none.jpg"}, {"data": "no base64"}, {"url": "https://example.org/a.jpg"}]
    post = orjson.dumps({"id": "1", "text": "in Toronto", "images": images})
    done = CliRunner().invoke(
        tag, ["-", "--device", "cpu", "--images-root", str(tmp_path)], input=b"plain\n" + post
    )
    assert (0, 2) == (done.exit_code, len(done.stdout.splitlines()))
    assert [
        "line 2: images[0] is broken (unreadable): tagged without",
        "line 2: images[1] is broken (undecodable): tagged without",
        "line 2: images[2] is skipped (host not allowed): tagged without",
    ] == done.stderr.splitlines()


@pytest.mark.usefixtures("checkpoint")
def test_one_fetcher_serves_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what it has in its cache, and what it knows of hosts that are away, is lost every 32 lines."""
    lifecycle: list[str] = []

    class Fetcher:
        def __init__(self, settings: Fetch) -> None:
            lifecycle.append("made")

        async def fetch(self, images: Collection[PostImage], pool: Executor) -> Fetched:
            lifecycle.append("asked")
            return dict.fromkeys(images, HOST_AWAY)

        async def close(self) -> None:
            lifecycle.append("closed")

    monkeypatch.setattr(url_fetcher, "ImageUrls", Fetcher)
    post = orjson.dumps({"id": "1", "text": "Toronto", "images": [{"url": "https://i.redd.it/a.jpg"}]})
    done = CliRunner().invoke(tag, ["-", "--device", "cpu"], input=b"plain\n" + (post + b"\n") * 40)
    assert (0, 41) == (done.exit_code, len(done.stdout.splitlines()))
    assert ["made", "closed"] == [event for event in lifecycle if event != "asked"]
    assert 40 <= lifecycle.count("asked")


@pytest.mark.usefixtures("checkpoint")
def test_a_terminal_is_told_that_the_model_is_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> list[str]:
        return CliRunner().invoke(tag, ["-", "--device", "cpu"], input="in Toronto\n").stderr.splitlines()

    assert [] == told()
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    assert ["loading model ..."] == told()


@pytest.mark.usefixtures("checkpoint")
def test_handles_reach_the_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    load = Tagger.load

    def noted(*args: object, **kwargs: object) -> Tagger:
        given.append(kwargs["handles"])
        return load(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Tagger, "load", noted)
    for asked in ([], ["--handles", "tag"], ["--set", "worker.handles=tag"]):
        CliRunner().invoke(tag, ["-", "--device", "cpu", *asked], input="hi\n", catch_exceptions=False)
    assert ["skip", "tag", "tag"] == given


@pytest.mark.usefixtures("checkpoint")
@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"id": 1, "text": "in Toronto"}\n{"id": 2, "text": "NaN", "score": NaN}\n',
        b'[{"id": 1, "text": "in Toronto"}, {"id": 2, "text": "NaN"}]',
        gzip.compress(b'{"id": 1, "text": "in Toronto"}\n{"id": 2, "text": "NaN"}\n', mtime=0),
        b"id,text\n1,in Toronto\n2,NaN\n",
    ],
)
def test_every_format_of_ingest_is_read(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "posts"
    file.write_bytes(data)
    for name, given in ((str(file), b""), ("-", data)):
        done = CliRunner().invoke(tag, [name, "--device", "cpu"], input=given)
        assert 0 == done.exit_code, done.output
        tagged = [orjson.loads(line) for line in done.stdout.splitlines()]
        assert [("1", "in Toronto"), ("2", "NaN")] == [(post["id"], post["text"]) for post in tagged]


@pytest.mark.usefixtures("checkpoint")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("in Toronto\n".encode("utf-16"), "UTF-16"),
        (b'event: update\ndata: {"id": 1}\n', "server-sent events"),
        (gzip.compress(b"in Toronto\n", mtime=0)[:-5], "truncated"),
    ],
)
def test_what_cannot_be_read_is_rejected_before_anything_is_tagged(
    data: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "posts"
    file.write_bytes(data)
    done = CliRunner().invoke(tag, [str(file), "--device", "cpu"])
    assert isinstance(done.exception, UnreadableFile)
    assert (True, "") == (reason in str(done.exception), done.stdout)


@pytest.mark.usefixtures("checkpoint")
def test_invalid_posts_are_named_and_skipped() -> None:
    lines = b'{"id": 1, "text": "in Toronto"}\n{"id": 2}\n\xff\n'
    done = CliRunner().invoke(tag, ["-", "--device", "cpu"], input=lines)
    assert (1, 1) == (done.exit_code, len(done.stdout.splitlines()))
    expected = [
        "line 2: field 'text' is missing",
        "line 3: invalid UTF-8 at byte 0",
        "Error: 2 invalid posts",
    ]
    assert expected == done.stderr.splitlines()
