"""Headers that would take long to read reach nobody."""

import socket
import time
from typing import Any

import pytest

from gateway.web.odd_headers import plain_headers
from tests.conftest import StartGateway
from tests.gateway_process import GatewayProcess

Headers = list[tuple[bytes, bytes]]


async def passed(headers: Headers) -> Headers:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    await plain_headers(application)({"type": "http", "path": "/", "headers": headers}, application, application)
    assert seen[0]["path"] == "/"
    return list(seen[0]["headers"])


async def test_honest_headers_pass_as_they_came() -> None:
    headers = [
        (b"host", b"chat.example"), (b"origin", b"https://shop.example"), (b"content-type", b"application/json"),
        (b"cookie", b"sessionid=abc; other=" + b"x" * 8000), (b"authorization", b"Bearer " + b"x" * 400),
    ]  # fmt: skip
    assert await passed(headers) == headers


@pytest.mark.parametrize(
    ("came", "passes"),
    [
        ((b"origin", b"http://" + b"\xe9" * 600), []),
        ((b"content-type", b";" * 2000), []),
        ((b"cookie", b'a="' + b'\\"' * 7000 + b'"'), [(b"cookie", b"")]),
        ((b"cookie", b'sessionid=abc; a="\\""; csrftoken=d'), [(b"cookie", b"sessionid=abc; csrftoken=d")]),
    ],
)
async def test_what_takes_long_to_read_is_left_out(came: tuple[bytes, bytes], passes: Headers) -> None:
    assert await passed([(b"host", b"h"), came]) == [(b"host", b"h"), *passes]


def ask(gateway: GatewayProcess, path: str, header: str, *, upgrade: bool) -> socket.socket:
    """Sends a request and does not wait for its answer."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{gateway.port}", header]
    if upgrade:
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Origin: {gateway.url}"]
    line = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    return line


@pytest.mark.parametrize(
    ("header", "upgrade"),
    [('Cookie: a="' + '\\"' * 7000 + '"', True), ('Cookie: a="' + '\\"' * 7000 + '"', False),
     ("Content-Type: " + ";" * 15_000, False)],
)  # fmt: skip
def test_many_of_them_hold_nobody_up(start_gateway: StartGateway, server: str, header: str, upgrade: bool) -> None:
    gateway = start_gateway(server=server)
    lines = [ask(gateway, "/ws/chat/" if upgrade else "/console/login/", header, upgrade=upgrade) for _ in range(20)]
    began = time.monotonic()
    assert gateway.status("/healthz") == 200
    assert time.monotonic() - began < 2
    for line in lines:
        line.close()
