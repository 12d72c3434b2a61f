"""Which addresses may be connected to, and that a name is looked up once and all of its addresses are vetted."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.images import addresses
from stream.images.addresses import PublicResolver, RefusedAddress, is_global, look_up, vet

PRIVATE = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1", "224.0.1.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255",
)  # fmt: skip
PUBLIC = (
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "104.244.43.131",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_special_addresses_are_refused_also_inside_others(address: str) -> None:
    """Mapped, compatible, NAT64, 6to4 and Teredo (there inverted) carry an IPv4 address inside an IPv6 one."""
    number = int(IPv4Address(address))
    carriers = [
        IPv6Address(f"::ffff:{address}"),
        IPv6Address(number),
        IPv6Address(f"64:ff9b::{address}"),
        IPv6Address(f"64:ff9b:1::{address}"),
        IPv6Address((0x2002 << 112) | (number << 80) | 1),
        IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ]
    assert [False] * 7 == [is_global(each) for each in (ip_address(address), *carriers)]


@pytest.mark.parametrize(
    "address",
    [
        "::", "::1", "::ffff:8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::", "2001:2::1",
        "2001:db8::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd12:3456::1",
        "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "2606:4700::1111%eth0",
    ],
)  # fmt: skip
def test_special_ipv6_addresses_are_refused(address: str) -> None:
    with pytest.raises(RefusedAddress):
        vet(address)


@pytest.mark.parametrize("address", [*PUBLIC, "2606:4700:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8"])
def test_the_public_internet_is_allowed(address: str) -> None:
    """Also right beside the special networks, and through NAT64 where that is all there is."""
    vet(address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_what_is_allowed_is_global_in_the_standard_librarys_eyes_too(address: IPv4Address) -> None:
    if is_global(address):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_unspecified))


@pytest.mark.parametrize("text", ["", "localhost", "0177.0.0.1", "0x7f.1", "2130706433", "127.1", "8.8.8.8 "])
def test_what_is_no_address_in_the_one_spelling_is_refused(text: str) -> None:
    with pytest.raises(RefusedAddress):
        vet(text, [ip_network("0.0.0.0/0")])


def test_other_networks_are_allowed_by_name_only() -> None:
    also = [ip_network("127.0.0.2/32")]
    vet("127.0.0.2", also)
    for address in ("127.0.0.1", "::ffff:127.0.0.2"):
        with pytest.raises(RefusedAddress):
            vet(address, also)


def resolve(*answer: str) -> list[str]:
    asked = []

    async def lookup(host: str) -> Sequence[str]:
        asked.append(host)
        return answer

    found = asyncio.run(PublicResolver(lookup).resolve("images.test", 443))
    assert ["images.test"] == asked
    assert all(socket.AI_NUMERICHOST == each["flags"] and each["port"] == 443 for each in found)
    return [each["host"] for each in found]


def test_a_name_is_looked_up_once_and_its_addresses_are_numbers() -> None:
    assert ["8.8.8.8", "2606:4700::1"] == resolve("8.8.8.8", "2606:4700::1", "8.8.8.8")


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%2"])
def test_one_address_inside_refuses_the_whole_name(inside: str) -> None:
    for answer in ((inside,), ("8.8.8.8", inside), (inside, "8.8.8.8")):
        with pytest.raises(RefusedAddress):
            resolve(*answer)


def test_a_name_without_addresses_is_an_error() -> None:
    with pytest.raises(OSError, match="no address"):
        resolve()


def test_no_socket_is_made_for_a_refused_address() -> None:
    """The last gate: aiohttp resolves nothing where the URL has an address."""
    vetted = PublicResolver()
    for family, address in ((socket.AF_INET, ("127.0.0.1", 80)), (socket.AF_INET6, ("::1", 80, 0, 0))):
        with pytest.raises(RefusedAddress):
            vetted.socket((family, socket.SOCK_STREAM, 0, "", address))
    vetted.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))).close()


def test_the_systems_lookup_answers_and_fails() -> None:
    assert "127.0.0.1" in asyncio.run(look_up("localhost"))
    for host in ("no.such.host.invalid", "a" * 64 + ".invalid"):
        with pytest.raises(OSError):  # noqa: PT011 - the system words it
            asyncio.run(look_up(host))


def test_lookups_that_hang_are_bounded_and_do_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """`asyncio.run` waits for an executor's threads; those of lookups it must not wait for."""
    release = addresses.threading.Event()
    monkeypatch.setattr(addresses, "_lookups", addresses.threading.BoundedSemaphore(2))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])

    async def run() -> list[BaseException | None]:
        hanging = [asyncio.create_task(look_up("hangs")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="looked up already"):
            await look_up("one.more")
        for task in hanging:
            task.cancel()
        return await asyncio.gather(*hanging, return_exceptions=True)

    assert all(isinstance(each, asyncio.CancelledError) for each in asyncio.run(run()))
    assert not release.is_set()
    release.set()
