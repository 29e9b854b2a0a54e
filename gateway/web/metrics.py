"""`GET /metrics`, for Prometheus: a raw ASGI application before Django's request stack, so that it asks nobody, neither
the database nor a thread, and needs no name in ALLOWED_HOSTS."""

import hmac
from collections import Counter
from urllib.parse import urlsplit

from django.conf import settings

from gateway import addresses, engine
from gateway.errors import NotReady
from gateway.types import Receive, Scope, Send
from gateway.web.admin_socket import AdminChatConsumer
from gateway.web.socket import open_sockets

FORWARDED = {b"x-forwarded-for", b"forwarded", b"x-real-ip"}
NOT_FOR_YOU = b"Only from this machine, or with METRICS_TOKEN as a bearer token.\n"


async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        await answer(send, 405, b"GET only\n")
    elif not may_read(scope):
        await answer(send, 403, NOT_FOR_YOU)
    else:
        # An eighth of a second to import: only whoever is scraped waits for it.
        from gateway import exposition

        running = await running_engine()
        page = exposition.text(running, sockets())
        await answer(send, 200, page, exposition.CONTENT_TYPE)


async def running_engine() -> "engine.Engine | None":
    try:
        running = engine.current()
    except NotReady:
        return None
    await running.figures.refresh()
    return running


def sockets() -> Counter[str]:
    kinds = Counter({"public": 0, "admin": 0})
    kinds.update("admin" if isinstance(socket, AdminChatConsumer) else "public" for socket in tuple(open_sockets))
    return kinds


def may_read(scope: Scope) -> bool:
    """With METRICS_TOKEN whoever shows it, else this machine alone; a proxy on it speaks for somebody else."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    if settings.METRICS_TOKEN:
        expected = f"Bearer {settings.METRICS_TOKEN}".encode()
        return hmac.compare_digest(expected, headers.get(b"authorization", b""))
    if headers.keys() & FORWARDED or addresses.of_scope(scope) is None:
        return False
    peer = addresses.parsed(str((scope.get("client") or ("",))[0]))
    return peer is not None and peer.is_loopback and is_this_machines_name(headers.get(b"host", b""))


def is_this_machines_name(host: bytes) -> bool:
    """A proxy passes the name on that the outside knows us by."""
    try:
        return urlsplit(f"//{host.decode('latin-1')}").hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False


async def answer(send: Send, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
