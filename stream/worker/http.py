"""The web endpoints: `/metrics` for Prometheus, `/health` and `/ready` for a supervisor.

`/health` returns 200 while the worker is live, `/ready` while it is ready, otherwise 503. Both have the same JSON, with
the reasons (stream/worker/status.py). If a token is set, `/metrics` requires it. Without the token, `/health` and
`/ready` return only state, live and ready. On loopback, the token is optional.

Prometheus sends the token with `authorization: {credentials_file: ...}`. There is no TLS: use a proxy if others can
read the traffic.
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
"""Paths that answer without a token, for probes that cannot send one; they limit their answer."""


def knows_token(request: web.Request, token: str) -> bool:
    """Whether the request has `Authorization: Bearer TOKEN`, or no token is required."""
    kind, _, said = request.headers.get("Authorization", "").partition(" ")
    # bytes, compared in constant time: otherwise an attacker could guess one character at a time
    same = hmac.compare_digest(said.strip().encode("utf-8", "surrogateescape"), token.encode())
    return not token or (same and kind.lower() == "bearer")


def guard(token: str) -> Middleware:
    """A middleware that returns 401 to requests without `token`; if it is empty, all requests are allowed."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in OPEN or knows_token(request, token):
            return await handler(request)
        challenge = {"WWW-Authenticate": 'Bearer realm="trimod"'}
        return web.Response(
            status=401, text="missing or wrong token: send Authorization: Bearer ...\n", headers=challenge
        )

    return middleware


@asynccontextmanager
async def serve(
    settings: Worker, registry: CollectorRegistry, health: Callable[[], Health]
) -> AsyncIterator[str]:
    """Serve while the context is open; yields the URL. Raises BrokenWorker if the port is in use, SettingsError if the
    token is invalid."""
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
                f"cannot serve metrics on {address}: {error.strerror} (set worker.metrics_port; 0 picks a free port)"
            ) from None
        host, port = runner.addresses[0][:2]
        url = f"http://{host}:{port}"
        log.info("metrics at %s/metrics, health at %s/health", url, url)
        yield url
    finally:
        await runner.cleanup()
