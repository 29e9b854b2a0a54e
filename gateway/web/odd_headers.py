"""Headers that take long to read are left out before anybody reads them. Some readers of Python's and of Django's take
a time that grows with the square of a value's length, on the loop that everybody shares; any stranger may send them."""

from gateway.types import Application, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

COOKIE = b"cookie"
LONGEST = {b"origin": 512, b"content-type": 1024}
"""Bytes. No honest one comes near them."""


def plain_headers(application: Application) -> Application:
    """Around "http" or "websocket"."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        if any(is_odd(name, value) for name, value in headers):
            scope = {**scope, "headers": without_odd(headers)}
        await application(scope, receive, send)

    return plain


def is_odd(name: bytes, value: bytes) -> bool:
    if name == COOKIE:
        return b"\\" in value
    return name in LONGEST and len(value) > LONGEST[name]


def without_odd(headers: Headers) -> Headers:
    cookies = [(name, without_escapes(value)) for name, value in headers if name == COOKIE]
    return [pair for pair in headers if pair[0] != COOKIE and not is_odd(*pair)] + cookies


def without_escapes(cookies: bytes) -> bytes:
    """Without those that must be unquoted (CVE-2024-7592). None of ours is; the others of the browser stay."""
    return b";".join(cookie for cookie in cookies.split(b";") if b"\\" not in cookie)
