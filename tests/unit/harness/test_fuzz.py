"""A short run of `make fuzz`, and that it finds what it is there to find: a fuzz that cannot fail shows nothing."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from models.core.post import Mention
from models.inference.tagger import Prepared
from stream.images import loader as fetch
from stream.messages import events
from stream.messages.posts import Post
from stream.pipeline import item as admit
from tests.fuzz import in_process_worker as line_module
from tests.fuzz import mutate_images, mutate_posts
from tests.fuzz import runner as parent
from tests.fuzz.__main__ import fuzz
from tests.fuzz.cases import BAD_POST, TAGGED, Case
from tests.fuzz.in_process_worker import Line, PoisonableTagger, Result
from tests.fuzz.mutate_images import image_case
from tests.fuzz.mutate_posts import post_case
from tests.fuzz.oracle import verdict
from tests.fuzz.runner import Parent
from tests.fuzz.worker import MAKERS, Report
from tests.support.tiny_checkpoint import tiny_checkpoint

POST = b'{"id": "1", "text": "Toronto Maple Leafs won in Toronto"}'


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def tagger(tiny: Path) -> PoisonableTagger:
    return PoisonableTagger.load(tiny, "cpu", threads=1)


def run(tagger: PoisonableTagger, *cases: Case) -> list[Result]:
    return Line(tagger).run(cases)


@pytest.mark.slow
def test_a_short_run_finds_nothing(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"posts": 800, "images": 80, "shipped": 20}
    status = fuzz(Parent(11, tiny, 1), sizes, 11, tmp_path / "failures")
    said = capsys.readouterr().out
    assert 0 == status, said
    assert "posts: 800" in said
    assert not (tmp_path / "failures").exists()


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_a_case_is_the_same_whenever_it_is_made(kind: str) -> None:
    maker = MAKERS[kind]
    assert [maker(3, index) for index in range(40)] == [maker(3, index) for index in range(40)]
    assert maker(3, 0) != maker(4, 0)


@pytest.mark.parametrize(
    ("maker", "names"), [(post_case, mutate_posts.MUTATIONS), (image_case, mutate_images.MUTATIONS)]
)
def test_every_mutation_comes_up(maker: Callable[[int, int], Case], names: dict[str, object]) -> None:
    common = {name for name, (weight, _) in names.items() if weight >= 1}  # type: ignore[misc]
    assert common <= {maker(1, index).mutation for index in range(600)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (POST, TAGGED),
        (POST[:-1], BAD_POST),
        (b'{"id": "1", "text": "\\ud800"}', TAGGED),
        (b'{"id": "1", "text": NaN}', BAD_POST),
        (b'{"id": "1", "text": "", "score": NaN, "author": 7, "images": 7}', TAGGED),
        (b'\xef\xbb\xbf{"id": {"$oid": "5f"}, "text": ""}', TAGGED),
        (b'{"id": 1.5, "text": ""}', BAD_POST),
        (b'{"id": "1", "text": 7, "text": "the last counts"}', TAGGED),
        (b'{"id": 1, "text": "", "x": ' + b"[" * 500 + b"]" * 500 + b"}", TAGGED),
        (b'{"id": 1, "text": "", "x": ' + b"[" * 2000 + b"]" * 2000 + b"}", BAD_POST),
        (b'{"id": 1, "text": "", "created_at": "2026-13-01T00:00:00Z"}', TAGGED),
        (b'{"id": 1, "text": "", "x": ' + b"[" * 900 + b"]" * 900 + b"}", None),
        (None, BAD_POST),
    ],
)
def test_the_oracle_knows_a_post(value: bytes | None, expected: str | None) -> None:
    assert expected == verdict(value)


def test_a_decoder_that_raises_what_nobody_expects_is_found(
    tagger: PoisonableTagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(value: bytes | None) -> Post:
        raise KeyError("text")

    monkeypatch.setattr(admit, "decode_post", decode)
    (result,) = run(tagger, Case("none", POST, TAGGED))
    assert ("crash", True) == (result.outcome, "KeyError" in result.problem)


def test_a_decoder_that_takes_too_much_is_found(
    tagger: PoisonableTagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admit, "decode_post", lambda value: Post(id="1", text="made up"))
    (result,) = run(tagger, Case("cut", POST[:-1], BAD_POST))
    assert "outcome: expected 'BadPost', got 'tagged'" in result.problem


def test_an_image_decoder_that_raises_is_found(
    tagger: PoisonableTagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(data: bytes, alt: str) -> None:
        raise OSError("image file is truncated")

    monkeypatch.setattr(fetch, "decode_image", decode)
    (result,) = run(tagger, image_case(1, 0))
    assert "expected 'tagged', got 'OSError'" in result.problem


def test_wrong_offsets_are_found(tagger: PoisonableTagger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "utf16_offset", lambda text, offset: offset + 1)
    (result,) = run(tagger, Case("none", POST, TAGGED))
    assert "text at its UTF-16 offsets" in result.problem


def test_mentions_that_are_not_in_the_text_are_found(
    tagger: PoisonableTagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tag(batch: Sequence[Prepared]) -> list[list[Mention]]:
        return [[Mention(1, 4, "Tor", "LOC", 0.5, {"text": 1.0})] for _ in batch]

    monkeypatch.setattr(tagger, "tag_prepared", tag)
    (result,) = run(tagger, Case("none", POST, TAGGED))
    assert "text at its offsets: expected 'oro', got 'Tor'" in result.problem


def test_a_slow_post_is_found(tagger: PoisonableTagger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "MOST_SECONDS", 0.0)
    (result,) = run(tagger, Case("none", POST, TAGGED))
    assert "CPU seconds" in result.problem


def test_a_poison_post_dies_alone(tagger: PoisonableTagger) -> None:
    poison = next(case for case in (post_case(1, n) for n in range(3000)) if case.mutation == "poison")
    results = run(tagger, Case("none", POST, TAGGED), poison, Case("none", POST, TAGGED))
    assert ["tagged", "PoisonError", "tagged"] == [result.outcome for result in results]
    assert ["", "", ""] == [result.problem for result in results]


@pytest.mark.slow
def test_a_post_that_kills_the_process_is_found_and_kept(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one that meets a defect in a decoder written in C; its neighbours are run again."""
    monkeypatch.setattr(parent, "serve", _serve_but_die_at_1)
    assert 1 == fuzz(Parent(1, tiny, 1), {"posts": 2}, 1, tmp_path)
    said = capsys.readouterr().out
    assert "the process ended with -9" in said
    assert "crashes, hangs, memory: 1" in said
    assert "no outcome" not in said
    assert [post_case(1, 1).value] == [file.read_bytes() for file in tmp_path.iterdir()]
    assert f"make fuzz REPLAY={tmp_path}" in said


def test_a_post_that_hangs_the_process_is_found(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parent, "serve", _serve_nobody)
    monkeypatch.setattr(parent, "MOST_WALL_SECONDS", 0.1)
    assert 1 == fuzz(Parent(1, tiny, 1), {"posts": 1}, 1, tmp_path)
    assert "no end after 0 s" in capsys.readouterr().out


def _serve_but_die_at_1(connection: Connection, seed: int, tiny: Path) -> None:
    """In the child; without a tagger, which takes long to load."""
    while (chunk := connection.recv()) is not None:
        if chunk.start <= 1 < chunk.stop:
            os.kill(os.getpid(), signal.SIGKILL)
        connection.send(Report([Result("none", TAGGED)], 0, 0))


def _serve_nobody(connection: Connection, seed: int, tiny: Path) -> None:
    time.sleep(3600)
