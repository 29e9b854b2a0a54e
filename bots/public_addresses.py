"""A transport for httpx that connects to public addresses alone.

A bot that fetches what strangers name must not become their way into the network that it runs in. A check of the name
would not do, since a name may resolve to anything, and to something else at the next look: every name is resolved
here, all its addresses are checked, and the connection is made to a checked one. Redirects come through here as well.
"""

import asyncio
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM, getaddrinfo

import httpx
from django.conf import settings

MOST_ADDRESSES = 3
NAT64 = IPv6Network("64:ff9b::/96")
PORTS = {"http": 80, "https": 443}

# Threads of our own: a name server that does not answer must not hold those of others.
resolvers = ThreadPoolExecutor(20, "pages-dns")


class NotPublic(httpx.RequestError):
    """The name leads to an address that is not on the public internet."""


class PublicOnly(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        # No connection is kept: the next name behind the same address would get this name's TLS.
        limits = httpx.Limits(max_connections=20, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=tls(), trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        addresses = await resolve(host, request.url.port or PORTS.get(request.url.scheme, 0))
        for address in addresses[:-1]:
            try:
                return await self._inner.handle_async_request(at_address(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(at_address(request, host, addresses[-1]))

    async def aclose(self) -> None:
        await self._inner.aclose()


def at_address(request: httpx.Request, host: str, address: str) -> httpx.Request:
    """The same request, to a number; the name stays in the Host header and in TLS, which proves it."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


async def resolve(host: str, port: int) -> Sequence[str]:
    """At least one address. Raises httpx.ConnectError where there is none, NotPublic where one is not public."""
    try:
        found = await asyncio.get_running_loop().run_in_executor(resolvers, _look_up, host, port)
    except (OSError, UnicodeError):
        raise httpx.ConnectError("no such name") from None
    if not settings.PAGES_ALLOW_PRIVATE and not all(map(is_public, found)):
        raise NotPublic("not a public address")
    return found[:MOST_ADDRESSES]


def _look_up(host: str, port: int) -> list[str]:
    return list(dict.fromkeys(str(entry[4][0]) for entry in getaddrinfo(host, port, type=SOCK_STREAM)))


def is_public(text: str) -> bool:
    address = embedded(ip_address(text))
    local = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    if isinstance(address, IPv6Address):
        local = local or address.is_site_local
    return address.is_global and not local


def embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64); else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """Made once: it reads all certificates that we trust."""
    return httpx.create_ssl_context()
