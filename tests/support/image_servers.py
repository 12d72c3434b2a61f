"""Servers for images on loopback, and names that lead there: for the tests of fetching by URL.

`OUTSIDE` plays the public internet: the tests allow this one address beside it. `INSIDE` plays our own network,
which no URL may reach.
"""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network

from aiohttp import web
from PIL import Image

from stream.images.downloader import Downloader
from stream.images.url_policy import UrlRules

OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
ALSO = (ip_network(f"{OUTSIDE}/32"),)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def png(colour: str = "red", size: int = 8) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(out, "PNG")
    return out.getvalue()


class Names:
    """A name server that answers what it is told, one answer after the other; the last one for ever."""

    def __init__(self, **answers: Sequence[str]) -> None:
        self._answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise OSError(f"no such host: {host}")
        return (answers.pop(0) if len(answers) > 1 else answers[0]).split()


class ImageServer:
    """What it was asked for is in `requests`."""

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self.port = 0
        self.requests: list[web.Request] = []
        self._routes = routes

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        handler = self._routes.get(request.path)
        if handler is None:
            return web.Response(body=png(), content_type="image/png")
        return await handler(request)


@asynccontextmanager
async def serving(
    routes: Mapping[str, Handler], host: str = OUTSIDE, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ImageServer]:
    """A server whose every path is a small PNG, but for `routes`."""
    server = ImageServer(routes)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def saying(*parts: bytes, pause: float = 0.0, host: str = OUTSIDE) -> AsyncIterator[int]:
    """A server that answers each connection with these bytes, `pause` after each, whatever it is asked, and
    then waits; yields its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            await reader.read()  # until the client has had enough
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def downloading(
    *ports: int, names: Names | None = None, hosts: Sequence[str] = ("*",), tls: ssl.SSLContext | None = None
) -> AsyncIterator[Downloader]:
    """A downloader that knows `images.test`, and may go to OUTSIDE and to these ports."""
    lookup = names or Names(images_test=[OUTSIDE])
    downloader = Downloader(UrlRules(hosts, http=tls is None, ports=ports), ALSO, lookup, tls)
    try:
        yield downloader
    finally:
        await downloader.close()
