"""One URL to bytes, against real servers on loopback: every limit, every way round the vetting of addresses."""

import asyncio
import datetime
import gzip
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import ClientTimeout, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.vision.decoding import MAX_BYTES
from stream.images import downloader as download
from stream.images.outcomes import (
    ADDRESS_REFUSED,
    BAD_ANSWER,
    BAD_CERTIFICATE,
    BAD_STATUS,
    BAD_TYPE,
    BAD_URL,
    ENCODED,
    HOST_NOT_ALLOWED,
    RATE_LIMITED,
    SERVER_ERROR,
    TIMEOUT,
    TOO_LARGE,
    TOO_MANY_REDIRECTS,
    UNREACHABLE,
    ImageOutcome,
    NotFetched,
)
from tests.support.image_servers import INSIDE, OUTSIDE, Handler, Names, downloading, png, saying, serving

Result = bytes | ImageOutcome


async def get(downloader: download.Downloader, url: str) -> Result:
    try:
        return await downloader.get(downloader.rules.check(url))
    except NotFetched as error:
        return error.outcome


def fetch(routes: dict[str, Handler], path: str = "/a.png", hosts: Sequence[str] = ("*",)) -> Result:
    """What comes of `path` on a server with these routes; `PORT` in it is the server's."""

    async def run() -> Result:
        async with serving(routes) as server, downloading(server.port, hosts=hosts) as downloader:
            port = str(server.port)
            return await get(downloader, f"http://images.test:{port}{path}".replace("PORT", port))

    return asyncio.run(run())


def told(*parts: bytes, pause: float = 0.0) -> Result:
    """What comes of a server that says just these bytes."""

    async def run() -> Result:
        async with saying(*parts, pause=pause) as port, downloading(port) as downloader:
            return await get(downloader, f"http://images.test:{port}/a.png")

    return asyncio.run(run())


def answering(**response: object) -> dict[str, Handler]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(**response)  # type: ignore[arg-type]

    return {"/a.png": answer}


def redirecting(target: str, status: int = 302) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        location = target.replace("PORT", str(request.url.port))
        return web.Response(status=status, headers={"Location": location} if location else {})

    return answer


@pytest.fixture
def short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUTS", ClientTimeout(total=None, connect=0.3, sock_read=0.3))


@pytest.mark.parametrize("type_", ["image/png", "image/jpeg", "image/webp", "image/gif", "IMAGE/PNG; a=b"])
def test_an_image_comes_as_it_is(type_: str) -> None:
    assert png() == fetch(answering(body=png(), headers={"Content-Type": type_}))


def test_we_say_who_we_are_and_bring_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cookies, also none that were set before; no proxy from the environment; no compression."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    async def cookie(request: web.Request) -> web.Response:
        response = web.Response(body=png(), content_type="image/png")
        response.set_cookie("who", "me")
        return response

    async def run() -> None:
        async with serving({"/a": cookie}) as server, downloading(server.port) as downloader:
            for _ in range(2):
                assert png() == await get(downloader, f"http://images.test:{server.port}/a")
            headers = server.requests[1].headers
            assert ("trimod-stream", "identity") == (headers["User-Agent"], headers["Accept-Encoding"])
            assert {"Host", "User-Agent", "Accept", "Accept-Encoding"} == set(headers)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, BAD_STATUS), (403, BAD_STATUS), (206, BAD_STATUS), (204, BAD_STATUS), (304, BAD_STATUS),
        (429, RATE_LIMITED), (500, SERVER_ERROR), (503, SERVER_ERROR),
    ],
)  # fmt: skip
def test_only_200_is_an_image(status: int, expected: ImageOutcome) -> None:
    body = {} if status in (204, 304) else {"body": png(), "content_type": "image/png"}
    assert expected == fetch(answering(status=status, **body))


@pytest.mark.parametrize("type_", ["text/html", "image/svg+xml", "application/octet-stream", "", "image/*"])
def test_another_content_type_is_not_read(type_: str) -> None:
    assert BAD_TYPE == fetch(answering(body=png(), headers={"Content-Type": type_}))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
def test_what_is_compressed_is_refused_and_not_unpacked(encoding: str) -> None:
    body = gzip.compress(bytes(2**20))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Encoding: {encoding}\r\n"
    assert ENCODED == told(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def test_identity_is_no_compression() -> None:
    assert png() == fetch(answering(body=png(), headers={"Content-Type": "image/png"} | IDENTITY))


IDENTITY = {"Content-Encoding": "Identity"}


def test_a_length_beyond_the_limit_is_refused_unread(short_reads: None) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n"
    assert TOO_LARGE == told(head.encode())


@pytest.mark.parametrize("chunked", [True, False])
def test_an_endless_body_ends_at_the_limit(chunked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no length to believe: in chunks, or until the connection closes."""
    monkeypatch.setattr(download, "MAX_BYTES", 2**20)
    piece = bytes(2**16)
    part = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    coding = b"Transfer-Encoding: chunked\r\n" if chunked else b""
    assert TOO_LARGE == told(
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" + coding + b"\r\n", *[part] * 64
    )


def test_a_body_of_just_the_limit_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", len(png()))
    assert png() == fetch({})


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["nothing", "part of a body"],
)
def test_who_falls_silent_is_not_waited_for(said: bytes, short_reads: None) -> None:
    assert TIMEOUT == told(said)


@pytest.mark.parametrize(
    "head",
    [b"X: " + b"a" * 9000, b"\r\n".join(b"X%d: a" % number for number in range(500)), b"a" * 9000 + b": b"],
    ids=["long value", "many", "long name"],
)
def test_huge_headers_are_refused(head: bytes) -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1\r\n"
    assert BAD_ANSWER == told(ok + head + b"\r\n\r\na")
    assert b"a" == told(ok + b"X: a\r\n\r\na")


def test_endless_headers_are_refused() -> None:
    assert BAD_ANSWER == told(b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"a" * 8000 + b"\r\n"] * 200)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\0\0\r\n\r\n", b"-ERR\r\n\r\n"])
def test_what_speaks_no_http_is_a_bad_answer(said: bytes) -> None:
    assert BAD_ANSWER == told(said)


def test_where_nobody_listens() -> None:
    async def run() -> list[Result]:
        async with serving({}) as server:
            port = server.port
        async with downloading(port) as downloader:
            return [await get(downloader, f"http://{host}:{port}/") for host in ("images.test", "no.test")]

    assert [UNREACHABLE] * 2 == asyncio.run(run())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    routes = {"/1": redirecting("2", status), "/2": redirecting("//images.test:PORT/3", status)}
    assert png() == fetch({**routes, "/3": redirecting("http://images.test:PORT/x", status)}, "/1")


def test_three_redirects_are_followed_and_no_fourth() -> None:
    routes = {f"/{number}": redirecting(str(number + 1)) for number in range(4)}
    assert (png(), TOO_MANY_REDIRECTS) == (fetch(routes, "/1"), fetch(routes, "/0"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (f"http://{INSIDE}:PORT/", ADDRESS_REFUSED),
        ("http://2130706433:PORT/", ADDRESS_REFUSED),
        ("http://0x7f.1:PORT/", ADDRESS_REFUSED),
        ("http://[::1]:PORT/", ADDRESS_REFUSED),
        ("http://[::ffff:127.0.0.1]:PORT/", ADDRESS_REFUSED),
        ("http://169.254.169.254:PORT/latest/meta-data/", ADDRESS_REFUSED),
        ("//10.0.0.1:PORT/", ADDRESS_REFUSED),
        ("http://images.test:22/", BAD_URL),
        ("http://user:secret@images.test:PORT/", BAD_URL),
        ("file:///etc/passwd", BAD_URL),
        ("http://[", BAD_ANSWER),
        ("/a.png", TOO_MANY_REDIRECTS),
        ("", TOO_MANY_REDIRECTS),
        ("/b", TOO_MANY_REDIRECTS),
    ],
)
def test_where_a_redirect_leads_is_checked(target: str, expected: ImageOutcome) -> None:
    routes = {"/a.png": redirecting(target), "/b": redirecting("/a.png")}
    assert expected == fetch(routes)


def test_a_redirect_out_of_the_allowed_hosts_is_not_followed() -> None:
    routes = {"/a.png": redirecting(f"http://{OUTSIDE}:PORT/")}
    assert HOST_NOT_ALLOWED == fetch(routes, hosts=("images.test",))
    assert png() == fetch(routes)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0177.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0",
        "[::]", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]",
        "[fe80::1]", "[fec0::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "224.0.0.1", "255.255.255.255",
        "inside.test", "both.test",
    ],
)  # fmt: skip
def test_no_way_leads_inside(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server waits inside on the very port, and gets no connection; nor does anything else that is refused."""
    names = Names(inside_test=[INSIDE], both_test=[f"{OUTSIDE} {INSIDE}"])

    async def run() -> tuple[Result, int]:
        async with serving({}, INSIDE) as server, downloading(server.port, names=names) as downloader:
            return await get(downloader, f"http://{host}:{server.port}/"), len(server.requests)

    assert (ADDRESS_REFUSED, 0) == asyncio.run(run())


def test_a_name_that_moves_inside_is_not_looked_up_again() -> None:
    """DNS rebinding: the connection goes to the address that was vetted, and a later answer is vetted anew."""
    names = Names(images_test=[OUTSIDE, INSIDE])

    async def run() -> None:
        async with serving({}) as outside, serving({}, INSIDE, outside.port) as inside:
            url = f"http://images.test:{outside.port}/a.png"
            async with downloading(outside.port, names=names) as downloader:
                assert png() == await get(downloader, url)
                assert (["images.test"], 1, 0) == (names.asked, len(outside.requests), len(inside.requests))
            async with downloading(outside.port, names=names) as downloader:  # nothing is remembered
                assert ADDRESS_REFUSED == await get(downloader, url)
            assert (2, 1, 0) == (len(names.asked), len(outside.requests), len(inside.requests))

    asyncio.run(run())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For images.test, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "images.test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("images.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "images.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + signed.public_bytes(pem))
    return path


def over_tls(certificate: Path, trusted: bool, url: str) -> Result:
    names = Names(images_test=[OUTSIDE], other_test=[OUTSIDE])
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate)
    ours = ssl.create_default_context(cafile=str(certificate) if trusted else None)

    async def run() -> Result:
        async with (
            serving({}, tls=server_side) as server,
            downloading(server.port, names=names, tls=ours) as downloader,
        ):
            return await get(downloader, url.replace("PORT", str(server.port)))

    return asyncio.run(run())


def test_the_certificate_must_be_of_the_host_and_of_somebody_we_trust(certificate: Path) -> None:
    assert png() == over_tls(certificate, True, "https://images.test:PORT/")
    assert png() == over_tls(certificate, True, "https://IMAGES.test.:PORT/")
    assert BAD_CERTIFICATE == over_tls(certificate, True, "https://other.test:PORT/")
    assert BAD_CERTIFICATE == over_tls(certificate, True, f"https://{OUTSIDE}:PORT/")
    assert BAD_CERTIFICATE == over_tls(certificate, False, "https://images.test:PORT/")
    assert BAD_URL == over_tls(certificate, True, "http://images.test:PORT/")


def test_without_an_authority_of_our_own_the_systems_are_asked(certificate: Path) -> None:
    """The default must verify: `ssl=False` here would go unnoticed elsewhere."""

    async def run() -> Result:
        server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server_side.load_cert_chain(certificate)
        async with serving({}, tls=server_side) as server, downloading(server.port) as downloader:
            return await get(downloader, f"https://images.test:{server.port}/")

    assert BAD_CERTIFICATE == asyncio.run(run())
