"""Every image has an outcome, and no image stops a post."""

import base64
import io
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from models.vision.decoding import decode_image
from stream.images import loader as fetch
from stream.images.loader import fetch_pictures
from stream.images.outcomes import HOST_AWAY, NO_ROOT, UNDECODABLE, UNREADABLE, USED
from stream.messages.posts import Post, decode_post


def png(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


def post(*images: dict[str, Any]) -> Post:
    return decode_post(orjson.dumps({"id": "1", "text": "", "images": images}))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_each_image_has_its_outcome_and_the_usable_ones_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(png("blue"))
    mixed = post(
        {"data": encoded(png("red")), "alt": "a red square"},
        {"data": encoded(b"no image")},
        {"path": "blue.png"},
        {"url": "https://pbs.twimg.com/media/a.jpg"},
    )
    found, outcomes = fetch_pictures(mixed, tmp_path, {mixed.images[3]: HOST_AWAY})
    assert [USED, UNDECODABLE, USED, HOST_AWAY] == outcomes
    assert [("a red square", (255, 0, 0)), ("", (0, 0, 255))] == [
        (picture.alt, tuple(picture.pixels[0, 0])) for picture in found
    ]


@pytest.mark.parametrize("path", ["../secret.png", "link.png", "none.png", ".", "a\0b", "/etc/passwd"])
def test_a_path_that_leads_out_or_nowhere_is_unreadable(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.png").write_bytes(png("red"))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    assert ([], [UNREADABLE]) == fetch_pictures(post({"path": path}), root, {})


@pytest.mark.parametrize("data", ["no base64!", "a", "é", "aGk", ""])
def test_data_that_are_no_base64_are_a_broken_image_and_no_bad_post(data: str) -> None:
    assert ([], [UNDECODABLE]) == fetch_pictures(post({"data": data}), None, {})


@pytest.mark.parametrize(
    "write",
    [
        lambda data: f"data:image/png;base64,{data}",
        lambda data: f"data:;base64,{data.rstrip('=')}",
        lambda data: data.replace("+", "-").replace("/", "_").rstrip("="),
        lambda data: "\r\n".join(data[place : place + 76] for place in range(0, len(data), 76)),
    ],
)
def test_data_may_be_a_data_uri_and_any_base64(write: Callable[[str], str]) -> None:
    found, outcomes = fetch_pictures(post({"data": write(encoded(png("red")))}), None, {})
    assert ([USED], [(255, 0, 0)]) == (outcomes, [tuple(picture.pixels[0, 0]) for picture in found])


def test_pictures_by_url_stand_where_their_images_stand() -> None:
    both = post(
        {"url": "https://i.redd.it/a.png", "alt": "far"}, {"data": encoded(png("red")), "alt": "near"}
    )
    far = replace(decode_image(png("blue")), alt="far")
    found, outcomes = fetch_pictures(both, None, {both.images[0]: far})
    assert (["far", "near"], [USED, USED]) == ([picture.alt for picture in found], outcomes)


def test_without_a_root_no_path_is_read_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetch._warn_no_root.cache_clear()
    (tmp_path / "blue.png").write_bytes(png("blue"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert ([], [NO_ROOT]) == fetch_pictures(post({"path": str(tmp_path / "blue.png")}), None, {})
    expected = "images with a path are skipped: worker.images_root (--images-root) is not set"
    assert [expected] == caplog.messages
