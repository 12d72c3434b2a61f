"""Who may read the web endpoints: everybody on loopback, elsewhere whoever sends the token of the settings.

Prometheus sends it by `authorization: {credentials_file: ...}`. Not TLS: put a proxy before it where others listen in.
"""

import hmac

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

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
