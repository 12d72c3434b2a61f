"""A post's images by URL: within the post's time, and whatever goes wrong is an outcome."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientTimeout, web

from models.vision.decoding import Picture
from stream.config.images import Fetch
from stream.images import downloader as download
from stream.images import host_limits as host_gates
from stream.images import url_fetcher as image_urls
from stream.images.outcomes import (
    BAD_STATUS,
    BAD_URL,
    BUSY,
    FAULT,
    HOST_AWAY,
    HOST_NOT_ALLOWED,
    SERVER_ERROR,
    TIMEOUT,
    UNDECODABLE,
    UNREACHABLE,
    ImageOutcome,
)
from stream.images.url_fetcher import ImageUrls
from stream.messages.posts import PostImage
from tests.support.image_servers import OUTSIDE, Handler, ImageServer, Names, downloading, png, serving

Found = ImageOutcome | tuple[str, tuple[int, ...]]


class Fetching:
    """An ImageUrls on a server with `routes`."""

    def __init__(self, urls: ImageUrls, server: ImageServer, pool: ThreadPoolExecutor) -> None:
        self.urls, self.server, self.pool = urls, server, pool

    async def post(self, *paths: str) -> list[Found]:
        """The outcomes, or (alt, first pixel), of one post's images at these paths or URLs."""
        images = [PostImage(url=self.url(path), alt=f"alt of {path}") for path in paths]
        found = await self.urls.fetch(images, self.pool)
        return [_seen(found[image]) for image in images]

    def url(self, path: str) -> str:
        return f"http://images.test:{self.server.port}{path}" if path.startswith("/") else path


def _seen(found: Picture | ImageOutcome) -> Found:
    return (found.alt, tuple(found.pixels[0, 0].tolist())) if isinstance(found, Picture) else found


RED = ("alt of /red.png", (255, 0, 0))


@asynccontextmanager
async def fetching(routes: dict[str, Handler] | None = None, **settings: object) -> AsyncIterator[Fetching]:
    names = Names(images_test=[OUTSIDE], slow_test=[OUTSIDE])
    async with serving(routes or {}) as server, downloading(server.port, names=names) as downloader:
        urls = ImageUrls(Fetch.model_validate(settings), downloader)
        with ThreadPoolExecutor(1) as pool:
            yield Fetching(urls, server, pool)


def failing(times: int, status: int = 500) -> Handler:
    """Fails the first requests, then answers."""
    left = [times]

    async def answer(request: web.Request) -> web.Response:
        left[0] -= 1
        if left[0] >= 0:
            return web.Response(status=status)
        return web.Response(body=png(), content_type="image/png")

    return answer


async def hang(request: web.Request) -> web.Response:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits that long")


async def drip(request: web.Request) -> web.StreamResponse:
    """A byte now and then: no read takes long, and it never ends."""
    response = web.StreamResponse(headers={"Content-Type": "image/png"})
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0.02)


async def text(request: web.Request) -> web.Response:
    return web.Response(body=b"<svg/>", content_type="image/png")


def test_each_image_has_its_picture_or_its_outcome() -> None:
    async def run() -> None:
        async with fetching({"/gone": failing(9, 404), "/text": text}) as it:
            paths = ("/red.png", "/gone", "/text", "no url", "http://evil.test:1/")
            assert [RED, BAD_STATUS, UNDECODABLE, BAD_URL, BAD_URL] == await it.post(*paths)
            assert {} == await it.urls.fetch([PostImage(data="aGk=")], it.pool)

    asyncio.run(run())


def test_the_settings_decide_which_hosts() -> None:
    """And by default they are CDNs, by https, to real addresses."""

    async def run() -> list[Picture | ImageOutcome]:
        urls = ImageUrls(Fetch())
        with ThreadPoolExecutor(1) as pool:
            images = [PostImage(url=url) for url in ("https://a.example/a", "http://i.redd.it/a")]
            found = await urls.fetch(images, pool)
        await urls.close()
        return list(found.values())

    assert [HOST_NOT_ALLOWED, BAD_URL] == asyncio.run(run())


@pytest.mark.parametrize("bad", [hang, drip])
def test_a_slow_image_costs_a_post_no_more_than_its_time(bad: Handler) -> None:
    """And not its other images. The one that drips gives bytes at each read."""

    async def run() -> None:
        async with fetching({"/bad": bad}, seconds_per_post=0.5) as it:
            began = time.monotonic()
            assert [TIMEOUT, RED] == await it.post("/bad", "/red.png")
            assert 0.4 < time.monotonic() - began < 2.5

    asyncio.run(run())


@pytest.mark.parametrize(
    ("failures", "status", "expected", "requests"),
    [(1, 500, RED, 2), (2, 503, SERVER_ERROR, 2), (1, 404, BAD_STATUS, 1), (0, 200, RED, 1)],
)
def test_a_passing_fault_is_tried_once_more(
    failures: int, status: int, expected: Found, requests: int
) -> None:
    async def run() -> None:
        async with fetching({"/red.png": failing(failures, status)}) as it:
            assert [expected] == await it.post("/red.png")
            assert requests == len(it.server.requests)

    asyncio.run(run())


def test_a_silent_server_is_asked_twice_within_the_posts_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUTS", ClientTimeout(total=None, connect=1, sock_read=0.1))

    async def run() -> None:
        async with fetching({"/hang": hang}, seconds_per_post=30) as it:
            assert [TIMEOUT] == await it.post("/hang")
            assert 2 == len(it.server.requests)

    asyncio.run(run())


def test_a_connection_that_breaks_in_the_body_is_tried_once_more() -> None:
    async def run() -> None:
        half = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\nabc"

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(half)
            writer.close()

        connections: list[bytes] = []
        server = await asyncio.start_server(answer, OUTSIDE, 0)
        port = server.sockets[0].getsockname()[1]
        async with downloading(port) as downloader:
            with ThreadPoolExecutor(1) as pool:
                image = PostImage(url=f"http://images.test:{port}/")
                found = await ImageUrls(Fetch(), downloader).fetch([image], pool)
        server.close()
        assert ({image: UNREACHABLE}, 2) == (found, len(connections))

    asyncio.run(run())


def test_pictures_are_kept_by_url_and_failures_are_not() -> None:
    async def run() -> None:
        async with fetching({"/red.png": failing(1, 404)}, cache=2) as it:
            assert [BAD_STATUS] == await it.post("/red.png")
            for _ in range(3):
                assert [RED] == await it.post("/red.png")
            assert 2 == len(it.server.requests)
            for path in (
                "/1",
                "/red.png",
                "/2",
                "/red.png",
                "/1",
            ):  # two are kept, and /1 was used less recently
                await it.post(path)
            asked = [each.path for each in it.server.requests]
            assert ["/red.png", "/red.png", "/1", "/2", "/1"] == asked

    asyncio.run(run())


def test_a_kept_picture_has_the_alt_of_its_own_post_and_gets_old() -> None:
    now = [0.0]
    kept = image_urls._Kept(2, lambda: now[0])
    picture = Picture.__new__(Picture)
    kept.put("a", picture)
    now[0] = image_urls.KEPT_FOR - 1
    assert picture is kept.get("a")
    now[0] = image_urls.KEPT_FOR
    assert kept.get("a") is None

    async def run() -> None:
        async with fetching() as it:
            url = it.url("/red.png")
            assert ["alt of /red.png", f"alt of {url}"] == [
                found[0] for path in ("/red.png", url) for found in await it.post(path)
            ]
            assert 1 == len(it.server.requests)

    asyncio.run(run())


def test_a_cache_of_nothing_keeps_nothing() -> None:
    kept = image_urls._Kept(0)
    kept.put("a", Picture.__new__(Picture))
    assert (None, 0) == (kept.get("a"), len(kept))


def test_a_host_that_is_away_is_not_waited_for_and_others_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every post with an image there would take its full time, and hold up all behind it."""
    monkeypatch.setattr(host_gates, "FAILURES", 3)

    async def run() -> None:
        async with fetching({"/hang": hang}, seconds_per_post=0.3) as it:
            slow = f"http://slow.test:{it.server.port}/hang"
            assert [TIMEOUT] * 3 == await it.post(*(f"{slow}?{number}" for number in range(3)))
            began = time.monotonic()
            assert [HOST_AWAY, RED] == await it.post(slow, "/red.png")
            assert time.monotonic() - began < 0.3

    asyncio.run(run())


def test_a_healthy_host_is_not_blamed_for_our_own_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only slot is another host's until 0.1 s before the post's end: too late for an answer in 0.3 s."""
    monkeypatch.setattr(host_gates, "FAILURES", 1)

    async def calm(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response(body=png(), content_type="image/png")

    async def run() -> None:
        async with fetching({"/hang": hang, "/calm": calm}, seconds_per_post=1, images_at_once=1) as it:
            hogging = asyncio.create_task(it.post(f"http://slow.test:{it.server.port}/hang"))
            await asyncio.sleep(0.1)
            assert [BUSY] == await it.post("/calm")
            assert [TIMEOUT] == await hogging
            assert [RED] == await it.post("/red.png")

    asyncio.run(run())


def test_a_dead_host_under_load_is_still_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody waits for its slot, and each gets it in time for a try that counts."""
    monkeypatch.setattr(host_gates, "FAILURES", 3)

    async def run() -> None:
        async with fetching({"/hang": hang}, seconds_per_post=0.4, images_per_host=1) as it:
            posts = []
            for number in range(50):
                posts.append(asyncio.create_task(it.post(f"http://slow.test:{it.server.port}/hang?{number}")))
                await asyncio.sleep(0.03)
            found = [outcome for [outcome] in await asyncio.gather(*posts)]
            assert (TIMEOUT, HOST_AWAY) == (found[0], found[-1])
            assert {TIMEOUT, BUSY, HOST_AWAY} == set(found)

    asyncio.run(run())


def test_a_missing_image_is_no_sign_of_a_host_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_gates, "FAILURES", 1)

    async def run() -> None:
        async with fetching({"/gone": failing(9, 404)}) as it:
            for _ in range(3):
                assert [BAD_STATUS] == await it.post("/gone")

    asyncio.run(run())


def test_images_at_once_are_bounded_per_worker_and_per_host() -> None:
    """A slow host takes its share of the slots and no more; whose turn does not come is `busy`."""
    running, most = [0], [0]

    async def slow(request: web.Request) -> web.Response:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.1)
        running[0] -= 1
        return web.Response(body=png(), content_type="image/png")

    async def run(**settings: int) -> int:
        most[0] = 0
        async with fetching({f"/{number}": slow for number in range(6)}, **settings) as it:
            found = await it.post(*(f"/{number}" for number in range(6)))
            assert not any(isinstance(each, ImageOutcome) for each in found)
        return most[0]

    assert 2 == asyncio.run(run(images_per_host=2))
    assert 3 == asyncio.run(run(images_at_once=3))

    async def hogged() -> None:
        async with fetching({"/hang": hang}, seconds_per_post=0.4, images_per_host=1, images_at_once=2) as it:
            slow = f"http://slow.test:{it.server.port}/hang"
            assert [TIMEOUT, BUSY, RED] == await it.post(slow, f"{slow}?2", "/red.png")

    asyncio.run(hogged())


def test_a_picture_beyond_all_measure_is_undecodable() -> None:
    """A small file that claims 50,000 x 50,000 pixels: the decoder's caps hold for URLs too."""
    bomb = bytearray(png())
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(bomb), content_type="image/png")

    async def run() -> None:
        async with fetching({"/bomb": answer}) as it:
            assert [UNDECODABLE] == await it.post("/bomb")

    asyncio.run(run())


def test_an_error_that_nobody_expected_costs_the_image_and_not_the_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log does not repeat the URL, which may hold a signature."""

    async def broken(*_: object) -> bytes:
        raise RuntimeError("secret")

    async def run() -> None:
        async with fetching() as it:
            monkeypatch.setattr(download.Downloader, "get", broken)
            assert [FAULT] == await it.post("/a?signature=secret")

    asyncio.run(run())
    assert ["an image by URL could not be fetched: RuntimeError"] == caplog.messages
