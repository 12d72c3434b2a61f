"""`/metrics` for Prometheus and `/health` for a supervisor, on the address that the settings name; nothing
else.

`/health` answers 200 unless the worker is broken (503); its JSON says whether it starts, runs or drains,
and which partitions it has."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from stream.errors import BrokenWorker
from stream.settings import Worker

log = logging.getLogger("trimod.worker")


@asynccontextmanager
async def serve(
    settings: Worker, registry: CollectorRegistry, health: Callable[[], dict[str, Any]]
) -> AsyncIterator[str]:
    """Serve while the context lasts; yields the URL. Raises BrokenWorker where the port is taken."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def healthy(request: web.Request) -> web.Response:
        body = health()
        return web.json_response(body, status=503 if body["state"] == "broken" else 200)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/health", healthy)])
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
