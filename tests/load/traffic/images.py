"""Pictures by number: a few drawn ones, each number with a comment of its own, so that all have different hashes.

Drawing and encoding thousands would cost the machine more than tagging them; what a worker does with each is the same.
`serving_pictures` serves them by HTTP on an address that a soak's workers may fetch from.
"""

import asyncio
import functools
import io
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from PIL import Image, ImageDraw

from tests.support.image_servers import OUTSIDE

URL_HOST = "images.test"
DRAWN = 24
SIDES = (224, 320, 480, 640)


def picture(number: int) -> bytes:
    """The JPEG of this number."""
    drawn = _drawn(number % DRAWN)
    comment = str(number).encode()
    return drawn[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + drawn[2:]


@functools.cache
def _drawn(number: int) -> bytes:
    chance = random.Random(number)
    side = chance.choice(SIDES)
    image = Image.new("RGB", (side, side), _colour(chance))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        corners = sorted(chance.choices(range(side), k=2)), sorted(chance.choices(range(side), k=2))
        box = (corners[0][0], corners[1][0], corners[0][1], corners[1][1])
        chance.choice((draw.ellipse, draw.rectangle))(box, fill=_colour(chance))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def _colour(chance: random.Random) -> tuple[int, int, int]:
    return chance.randrange(256), chance.randrange(256), chance.randrange(256)


async def _answer(request: web.Request) -> web.Response:
    return web.Response(body=picture(int(request.match_info["number"])), content_type="image/jpeg")


@contextmanager
def serving_pictures() -> Iterator[int]:
    """Serve `/NUMBER.jpg` in a thread of its own; yields the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="pictures", daemon=True)
    thread.start()
    app = web.Application()
    app.router.add_get(r"/{number:\d+}.jpg", _answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    try:
        yield asyncio.run_coroutine_threadsafe(_serve(runner), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(runner: web.AppRunner) -> int:
    await runner.setup()
    await web.TCPSite(runner, OUTSIDE, 0).start()
    port: int = runner.addresses[0][1]
    return port
