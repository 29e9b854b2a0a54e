"""Whose address a request comes from. What a proxy says is believed where TRUSTED_PROXIES names the proxy."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from gateway.types import Scope

Address = IPv4Address | IPv6Address


def of_scope(scope: Scope) -> str | None:
    """What to count by. None where visitors cannot be told apart: see `of`."""
    client = scope.get("client") or ("",)
    said = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == b"x-forwarded-for"]
    return of(str(client[0]), ",".join(said))


def of_request(request: HttpRequest) -> str | None:
    return of(request.META.get("REMOTE_ADDR") or "", request.headers.get("x-forwarded-for", ""))


def of(peer: str, forwarded: str) -> str | None:
    """The nearest address that is no trusted proxy's; of IPv6 its /64, which one machine has to itself.

    None where there is no address, or it can only be that of a proxy which TRUSTED_PROXIES does not name: then all the
    world would be one visitor, and limits by address would shut it out.
    """
    address = parsed(peer)
    if address is None or is_unnamed_proxy(address):
        return None
    for said in reversed(forwarded.split(",") if forwarded else []):
        if not is_trusted(address):
            break
        before = parsed(said.strip())
        if before is None:
            break
        address = before
    return str(IPv6Network((address, 64), strict=False)) if address.version == 6 else str(address)


def parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_trusted(address: Address) -> bool:
    return any(address in network for network in networks(tuple(settings.TRUSTED_PROXIES)))


def is_unnamed_proxy(address: Address) -> bool:
    """The gateway speaks no TLS: with an https PUBLIC_URL, whoever comes from this machine or network is a proxy."""
    behind_tls = urlsplit(settings.PUBLIC_URL).scheme == "https"
    return behind_tls and not settings.TRUSTED_PROXIES and (address.is_private or address.is_loopback)


@lru_cache(maxsize=8)
def networks(entries: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(entry.strip(), strict=False) for entry in entries if entry not in mistaken(entries))


def mistaken(entries: Iterable[str]) -> list[str]:
    """Entries that are neither an address nor a network, and so trust nobody."""
    return [entry for entry in entries if not is_network(entry)]


def is_network(entry: str) -> bool:
    try:
        ip_network(entry.strip(), strict=False)
    except ValueError:
        return False
    return True
