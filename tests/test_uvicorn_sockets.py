"""uvicorn's sockets with our bounds, in the process: what is taken without the parser is what the parser would give."""

import asyncio
from typing import Any, cast

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from gateway.uvicorn_sockets import BoundedSocket

HANDSHAKE = (
    b"GET /ws/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Transport:
    """As much of asyncio's as is asked for."""

    def __init__(self) -> None:
        self.written = b""
        self.paused = self.closed = False

    def get_extra_info(self, name: str) -> Any:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    abort = close


class Heard:
    """A socket whose application notes what it hears once it is told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.listens = asyncio.Event()
        self.transport = Transport()
        config = Config(self.application, ws=BoundedSocket, interface="asgi3", log_config=None)
        config.load()
        self.socket = BoundedSocket(config, ServerState(), {}, asyncio.get_running_loop())
        self.socket.connection_made(cast("Any", self.transport))

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await self.listens.wait()
            self.events.append(await receive())
            if self.events[-1]["type"] == "websocket.disconnect":
                return

    async def open(self) -> None:
        self.socket.data_received(HANDSHAKE)
        await settled()
        assert self.transport.written.startswith(b"HTTP/1.1 101")

    @property
    def texts(self) -> list[str]:
        return [event["text"] for event in self.events if "text" in event]


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def framed(text: str, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    return Frame(opcode, text.encode(), fin).serialize(mask=True)


async def opened(*, listens: bool = True) -> Heard:
    heard = Heard()
    await heard.open()
    if listens:
        heard.listens.set()
    return heard


TEXTS = ["hello", "", "é" * 62, "x" * 125, "x" * 126, "a", "x" * 5000, "b"]


async def test_each_message_comes_whole_and_in_order_whatever_its_size() -> None:
    heard = await opened()
    for text in TEXTS:
        heard.socket.data_received(framed(text))
        await settled()
    assert heard.texts == TEXTS


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1000])
async def test_messages_that_come_in_pieces_are_put_together(size: int) -> None:
    heard = await opened()
    stream = b"".join(map(framed, TEXTS))
    for begin in range(0, len(stream), size):
        heard.socket.data_received(stream[begin : begin + size])
        await settled()
    assert heard.texts == TEXTS


async def test_a_piece_that_looks_like_a_message_is_none() -> None:
    """The rest of a frame may read as if it were one."""
    heard = await opened()
    heard.socket.data_received(framed("first"))
    await settled()
    inner = b"\x81\x85\0\0\0\0hello"
    outer = b"\x82\x8b\0\0\0\0" + inner
    heard.socket.data_received(outer[:6])
    heard.socket.data_received(inner)
    await settled()
    assert heard.texts == ["first"]
    assert heard.events[-1]["bytes"] == inner


async def test_a_text_between_fragments_is_refused() -> None:
    heard = await opened()
    heard.socket.data_received(framed("first"))
    heard.socket.data_received(framed("half", fin=False))
    heard.socket.data_received(framed("no fragment"))
    await settled()
    assert heard.texts == ["first"]
    assert heard.events[-1] == {"type": "websocket.disconnect", "code": 1002, "reason": "expected a continuation frame"}


async def test_a_short_text_that_is_none_is_refused() -> None:
    heard = await opened()
    heard.socket.data_received(framed("first"))
    await settled()
    heard.socket.data_received(b"\x81\x82\0\0\0\0\xc3\x28")
    await settled()
    assert heard.events[-1]["code"] == 1007


async def test_who_goes_on_while_nobody_listens_is_paused() -> None:
    heard = await opened(listens=False)
    heard.listens.set()
    heard.socket.data_received(framed("first"))
    await settled()
    heard.listens.clear()
    for n in range(5):
        heard.socket.data_received(framed(str(n)))
        await settled()
    assert heard.transport.paused
    heard.listens.set()
    await settled()
    assert heard.texts == ["first", *"01234"]
    assert not heard.transport.paused
