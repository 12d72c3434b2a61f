"""`/metrics` for Prometheus, `/health` and `/ready` for a supervisor, on the address that the settings name; nothing
else.

`/health` answers 200 while the worker is live, `/ready` while it is ready, each 503 otherwise; their JSON is the same
and says why not (stream/worker/status.py). Where a token is set (stream/worker/http.py), `/metrics` is for those who
send it, and `/health` tells the others only its state, live and ready.

Who may read the web endpoints: everybody on loopback, elsewhere whoever sends the token of the settings.

Prometheus sends it by `authorization: {credentials_file: ...}`. Not TLS: put a proxy before it where others listen in.
"""

import hmac
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from stream.config.worker import Worker
from stream.connections.credentials import metrics_token
from stream.errors import BrokenWorker
from stream.worker.status import Health

log = logging.getLogger("trimod.worker")


OPEN = ("/health", "/ready")
"""Paths that answer without a token, for probes that cannot send one; what they then tell is up to them."""


def knows_token(request: web.Request, token: str) -> bool:
    """Whether the request says `Authorization: Bearer TOKEN`, or none is asked for."""
    kind, _, said = request.headers.get("Authorization", "").partition(" ")
    # bytes, and the same time for every wrong one: else each character could be found by itself
    same = hmac.compare_digest(said.strip().encode("utf-8", "surrogateescape"), token.encode())
    return not token or (same and kind.lower() == "bearer")


def guard(token: str) -> Middleware:
    """A middleware that answers 401 to whoever does not know `token`; an empty one lets everybody in."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in OPEN or knows_token(request, token):
            return await handler(request)
        challenge = {"WWW-Authenticate": 'Bearer realm="trimod"'}
        return web.Response(
            status=401, text="a token is needed: Authorization: Bearer ...\n", headers=challenge
        )

    return middleware


@asynccontextmanager
async def serve(
    settings: Worker, registry: CollectorRegistry, health: Callable[[], Health]
) -> AsyncIterator[str]:
    """Serve while the context lasts; yields the URL. Raises BrokenWorker where the port is taken, SettingsError where
    the token cannot be used."""
    token = metrics_token(settings)

    def answer(request: web.Request, look: Health, well: bool) -> web.Response:
        body = look.body()
        shown = (
            body if knows_token(request, token) else {key: body[key] for key in ("state", "live", "ready")}
        )
        return web.json_response(shown, status=200 if well else 503)

    async def healthy(request: web.Request) -> web.Response:
        look = health()
        return answer(request, look, look.live)

    async def ready(request: web.Request) -> web.Response:
        look = health()
        return answer(request, look, look.live and not look.reasons)

    app = web.Application(middlewares=[guard(token)])
    app.add_routes(
        [
            web.get("/metrics", make_aiohttp_handler(registry)),
            web.get("/health", healthy),
            web.get("/ready", ready),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.metrics_host, settings.metrics_port)
        try:
            await site.start()
        except OSError as error:
            address = f"{settings.metrics_host}:{settings.metrics_port}"
            raise BrokenWorker(
                f"cannot serve metrics on {address}: {error.strerror} (worker.metrics_port, 0 for a free one)"
            ) from None
        host, port = runner.addresses[0][:2]
        url = f"http://{host}:{port}"
        log.info("metrics at %s/metrics, health at %s/health", url, url)
        yield url
    finally:
        await runner.cleanup()
