"""Headers that trickle in or are too large, under uvicorn."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn

from gateway import uvicorn_patience
from gateway.types import Receive, Scope, Send
from tests.gateway_process import free_port

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.8)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest_asyncio.fixture
async def line(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    monkeypatch.setattr(uvicorn_patience, "HEADER_SECONDS", 0.4)
    port = free_port()
    http = "gateway.uvicorn_patience:PatientHttp"
    ws = "gateway.uvicorn_sockets:BoundedSocket"
    config = uvicorn.Config(slow, port=port, http=http, ws=ws, lifespan="off", log_config=None, timeout_keep_alive=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it.
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.close()
    server.should_exit = True
    await serving


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bit: bytes) -> float:
    """Seconds until the line was closed, with a bit of it ten times a second."""
    began = time.monotonic()
    ended = asyncio.ensure_future(reader.read())
    while not ended.done() and time.monotonic() - began < 10:
        with contextlib.suppress(ConnectionError):
            writer.write(bit)
        await asyncio.wait({ended}, timeout=0.1)
    ended.cancel()
    return time.monotonic() - began


@pytest.mark.parametrize(("first", "bit"), [(b"GET / HTTP/1.1\r\n", b"X: y\r\n"), (b"", b"\r\n"), (b"", b"G")])
async def test_they_are_not_waited_for(
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter], first: bytes, bit: bytes
) -> None:
    reader, writer = line
    writer.write(first)
    assert await trickle(reader, writer, bit) < 5


@pytest.mark.parametrize("bit", [b"\r\n", b"X"])
async def test_nor_after_an_answer_that_took_longer(
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter], bit: bytes
) -> None:
    reader, writer = line
    for _ in range(2):
        writer.write(ASK)
        assert b" 204 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert await trickle(reader, writer, bit) < 8


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize("headers", [b"X: " + b"y" * 9000, b"\r\n".join(b"X%d: y" % n for n in range(300))])
async def test_a_handshake_that_is_too_large_is_answered_and_its_line_given_up(
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter], headers: bytes
) -> None:
    reader, writer = line
    writer.write(UPGRADE + headers + b"\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        while not writer.is_closing():  # the other side cuts it, whether or not we do.
            with contextlib.suppress(ConnectionError):
                writer.write(b"z")
                await writer.drain()
            await asyncio.sleep(0.1)
