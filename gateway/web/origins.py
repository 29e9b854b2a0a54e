"""Which sites' pages may open a socket. An origin is a scheme, a host and a port, compared exactly."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings

from gateway import engine
from gateway.models import Bot
from gateway.types import Scope

DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def normalise(text: str) -> str | None:
    """`https://Shop.example:443` → `https://shop.example`; None where it is no origin (such as "null" or "*")."""
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return None
    is_more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc or "*" in host
    if not parts.scheme or not host or is_more:
        return None
    return _joined(parts.scheme, f"[{host}]" if ":" in host else host, port)


def _joined(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" if port in (None, DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def own() -> frozenset[str]:
    """The origin of PUBLIC_URL. Where that is this very machine, by any of its names."""
    return _own(settings.PUBLIC_URL)


@lru_cache(maxsize=8)
def _own(public_url: str) -> frozenset[str]:
    parts = urlsplit(public_url)
    found = normalise(f"{parts.scheme}://{parts.netloc}")
    origins = {found} if found else set()
    if _is_this_machine(parts.hostname or ""):
        origins |= {_joined(parts.scheme, name, parts.port) for name in LOOPBACK_NAMES}
    return frozenset(origins)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def listed(entries: Iterable[str]) -> frozenset[str]:
    return _listed(tuple(entries))


@lru_cache(maxsize=64)
def _listed(entries: tuple[str, ...]) -> frozenset[str]:
    return frozenset(origin for origin in map(normalise, entries) if origin is not None)


def mistaken(entries: Iterable[str]) -> list[str]:
    """Entries that are no origins, and so allow nothing."""
    return [entry for entry in entries if entry.strip() and normalise(entry) is None]


def of(scope: Scope) -> str | None:
    """The origin that the browser names; None where it names none, "null", or several."""
    named = [value for name, value in scope.get("headers", ()) if name.lower() == b"origin"]
    return normalise(named[0].decode("latin-1")) if len(named) == 1 else None


def as_sent(scope: Scope) -> str:
    """What came in the header, for the log."""
    named = [value.decode("latin-1")[:200] for name, value in scope.get("headers", ()) if name.lower() == b"origin"]
    return ", ".join(map(repr, named)) or "none at all"


def is_static(origin: str) -> bool:
    """Ours, or in the settings: known without asking the database."""
    return origin in own() or origin in listed(settings.WIDGET_ORIGINS)


async def may_ask(scope: Scope) -> bool:
    """Is it a page of ours, or of a site on some list? Raises NotReady and DatabaseError where the database, which
    knows the bots' own lists, cannot be asked."""
    origin = of(scope)
    if origin is None or is_static(origin):
        return origin is not None
    return await engine.current().read(on_any_list, origin)


def on_any_list(origin: str) -> bool:
    """Is there a bot whose own list has it? Reads the database."""
    lists = Bot.objects.exclude(widget_origins="").values_list("widget_origins", flat=True)
    return any(origin in listed(text.splitlines()) for text in lists)


def on_list_of(origin: str, bot: str) -> bool:
    """May a page of that origin talk to that bot? Reads the database."""
    return is_on(lists_of([bot])[bot], origin)


def lists_of(bots: Collection[str]) -> dict[str, str]:
    """What each bot's own list says; "": it has none. Reads the database."""
    named = Bot.objects.filter(name__in=bots).values_list("name", "widget_origins")
    return dict.fromkeys(bots, "") | dict(named)


def is_on(text: str, origin: str) -> bool:
    """Is it ours, or on that list? A list of the bot's own replaces the setting."""
    entries = text.splitlines() if text.strip() else settings.WIDGET_ORIGINS
    return origin in own() or origin in listed(entries)
