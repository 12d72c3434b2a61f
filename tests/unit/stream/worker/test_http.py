"""Who does not send the token gets nothing but the paths for probes. The whole of it: test_secured.py."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from stream.config.worker import Worker
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import Model
from stream.worker.http import guard, serve

TOKEN = "0123456789abcdef"


def status(token: str, path: str, authorization: str) -> int:
    """Of one request to a server that wants `token`; every path exists."""

    async def anything(request: web.Request) -> web.Response:
        return web.Response(text="secret figures")

    async def run() -> int:
        app = web.Application(middlewares=[guard(token)])
        app.add_routes([web.get("/{path:.*}", anything)])
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
            headers = {"Authorization": authorization} if authorization else {}
            async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
                assert ("secret" in await answer.text()) == (answer.status == 200)
                return answer.status
        finally:
            await runner.cleanup()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}0", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Bearer {TOKEN.upper()}", 401),
        ("Bearer ééééééééééééééé", 401),
    ],
)
def test_metrics_are_for_those_who_send_the_token(authorization: str, expected: int) -> None:
    assert expected == status(TOKEN, "/metrics", authorization)


@pytest.mark.parametrize("path", ["/health/", "/health/../metrics", "//health", "/HEALTH", "/"])
def test_a_path_that_looks_like_a_probe_s_is_none(path: str) -> None:
    assert 401 == status(TOKEN, path, "")


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_probes_need_no_token(path: str) -> None:
    assert 200 == status(TOKEN, path, "")


def test_without_a_token_in_the_settings_nobody_is_asked() -> None:
    assert 200 == status("", "/metrics", "")


@pytest.mark.parametrize(
    ("accept", "kind", "openmetrics"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", False),
        ("application/openmetrics-text;version=1.0.0,*/*;q=0.1", "application/openmetrics-text", True),
    ],
)
def test_metrics_come_in_the_format_that_is_asked_for(accept: str, kind: str, openmetrics: bool) -> None:
    metrics = Metrics(Model("tiny", "1"))
    metrics.gauges("trimod_queue_depth", "Posts waiting.", "stage", lambda: {"work": 3.0})

    async def run() -> tuple[str, list[str]]:
        settings = Worker(metrics_token=TOKEN)
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": accept}
        serving = serve(settings, metrics.registry, lambda: pytest.fail("nobody asked"))
        async with serving as url, aiohttp.ClientSession() as session:
            async with session.get(f"{url}/metrics") as refused:
                assert 401 == refused.status
            async with session.get(f"{url}/metrics", headers=headers) as answer:
                return answer.headers["Content-Type"], (await answer.text()).split("\n")

    found, lines = asyncio.run(run())
    assert found.startswith(kind)
    assert {
        'trimod_posts_total{error="",outcome="tagged"} 0.0',
        'trimod_queue_depth{stage="work"} 3.0',
    } <= set(lines)
    assert openmetrics == ("# EOF" in lines)
