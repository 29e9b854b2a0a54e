"""System checks of the settings that decide who gets in. Each says what may happen, and which setting mends it."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register

from gateway import addresses

SHORTEST_KEY = 32
WHOLE_WORLD = ("0.0.0.0/0", "::/0")


def public() -> SplitResult:
    return urlsplit(settings.PUBLIC_URL)


def is_local(host: str) -> bool:
    """This machine, or a private network where nobody else listens."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_unspecified


@register(Tags.security)
def check_public_url(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    url, host = public(), public().hostname
    if url.scheme not in ("http", "https") or not host:
        hint = "Set PUBLIC_URL to what people open, such as https://chat.example."
        return [Error(f"PUBLIC_URL={settings.PUBLIC_URL!r} is no address.", hint, id="switchboard.E001")]
    if url.scheme == "http" and not is_local(host):
        hint = "Put TLS in front of the gateway and set PUBLIC_URL to its https address."
        told = "PUBLIC_URL is http: passwords, cookies and visitors' tokens can be read on their way."
        return [Warning(told, hint, id="switchboard.W001")]
    return []


@register(Tags.security)
def check_debug(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if not settings.DEBUG or is_local(public().hostname or "localhost"):
        return []
    hint = "Set DEBUG=off, or PUBLIC_URL to an address of this machine."
    return [
        Error("DEBUG is on in public: every error page shows the inside to strangers.", hint, id="switchboard.E002")
    ]


@register(Tags.security)
def check_secret_key(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if len(settings.SECRET_KEY) >= SHORTEST_KEY:
        return []
    told = f"SECRET_KEY has fewer than {SHORTEST_KEY} characters: who guesses it can forge any visitor's token."
    return [Warning(told, "Set SECRET_KEY to fifty random characters, or leave it out.", id="switchboard.W002")]


@register(Tags.security)
def check_hosts(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    hint = f"Set ALLOWED_HOSTS={public().hostname}."
    return [Warning("ALLOWED_HOSTS allows every name that a request may come under.", hint, id="switchboard.W003")]


@register(Tags.security)
def check_proxies(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    hint = "Set TRUSTED_PROXIES to your proxies' own addresses or networks, such as 127.0.0.1,10.0.0.0/8."
    found: list[CheckMessage] = [
        Warning(f"TRUSTED_PROXIES: {entry!r} is no address or network; it trusts nobody.", hint, id="switchboard.W004")
        for entry in addresses.mistaken(settings.TRUSTED_PROXIES)
    ]
    if set(WHOLE_WORLD) & {entry.strip() for entry in settings.TRUSTED_PROXIES}:
        told = "TRUSTED_PROXIES trusts everybody: whoever writes an X-Forwarded-For chooses their address."
        found.append(Warning(told, hint, id="switchboard.W005"))
    return found


@register(Tags.security, deploy=True)
def check_unnamed_proxy(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if public().scheme != "https" or settings.TRUSTED_PROXIES:
        return []
    told = "The proxy that speaks TLS is not named: visitors behind it are not limited by their addresses."
    hint = "Set TRUSTED_PROXIES to the proxy's address, and have it set X-Forwarded-For."
    return [Info(told, hint, id="switchboard.I001")]


@register(Tags.security, deploy=True)
def check_limits(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.RATE_LIMITS:
        return []
    told = "RATE_LIMITS is off: nobody is kept from flooding the bots or from guessing passwords."
    return [Warning(told, "Leave RATE_LIMITS out; off is for measuring.", id="switchboard.W006")]


@register
def check_connections(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.MAX_CONNECTIONS > 0:
        return []
    hint = "Set MAX_CONNECTIONS to how many may be open at once, or leave it out."
    return [Error(f"MAX_CONNECTIONS={settings.MAX_CONNECTIONS}: nobody could connect.", hint, id="switchboard.E003")]
