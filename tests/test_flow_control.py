"""The bounds themselves, without a server: patience, queues, and the ASGI wrapper on a stand-in for a transport."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from gateway import flow
from gateway.daphne_flow import HELD_BYTES, HELD_EVENTS, Inflow, Outflow
from gateway.flow import FRAME_BYTES, SERVED, Gone, Line, Patience, counts, flow_control
from gateway.types import Event


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(flow, "CUT_SECONDS", 0.3)
    monkeypatch.setattr(flow, "LOOK_SECONDS", 0.02)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # these plain attributes stand for what a kernel holds
        await asyncio.sleep(0.01)


# Patience


def test_patience_grows_only_while_little_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    now, taken = [100.0], [0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    patience = Patience(lambda: taken[0])
    now[0] += 5
    assert patience.look() == 5
    taken[0] += flow.LEAST_BYTES - 1
    assert patience.look() == 5, "a trickle is no progress"
    taken[0] += 1
    assert patience.look() == 0
    now[0] += 3
    assert patience.look() == 3


# What has come in


def queue() -> tuple[Inflow, list[str]]:
    said: list[str] = []
    return Inflow(lambda: said.append("hold"), lambda: said.append("let go")), said


async def test_a_client_is_held_by_number_and_let_go_when_there_is_room() -> None:
    events, said = queue()
    for _ in range(HELD_EVENTS - 1):
        events.put_nowait({"type": "websocket.receive", "text": ""})
    assert said == []
    events.put_nowait({"type": "websocket.receive", "text": ""})
    events.put_nowait({"type": "websocket.disconnect", "code": 1000})
    assert said == ["hold"], "once, and what comes nevertheless is taken"
    while not events.empty():
        await events.get()
    assert said == ["hold", "let go"]


@pytest.mark.parametrize("key", ["text", "bytes"])
async def test_a_client_is_held_by_size(key: str) -> None:
    events, said = queue()
    half: Any = "x" * (HELD_BYTES // 2) if key == "text" else b"x" * (HELD_BYTES // 2)
    events.put_nowait({"type": "websocket.receive", key: half})
    assert said == []
    events.put_nowait({"type": "websocket.receive", key: half})
    assert said == ["hold"]
    await events.get()
    assert said == ["hold", "let go"]


# What is on its way out


class Transport:
    """As much of Twisted's, and of asyncio's, as is asked for. `waits` is what nobody has taken."""

    def __init__(self) -> None:
        self.connected = True
        self.dataBuffer, self.offset = b"", 0
        self.waits = 0
        self.cut = False
        self.written: list[bytes] = []
        self.socket = self

    @property
    def _tempDataLen(self) -> int:
        return self.waits

    def fileno(self) -> int:
        raise ValueError("no file")

    def abortConnection(self) -> None:
        self.cut, self.connected = True, False

    def abort(self) -> None:
        self.cut = True

    def is_closing(self) -> bool:
        return self.cut

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.waits

    def get_extra_info(self, name: str) -> Any:
        return self

    def setsockopt(self, *_: Any) -> None:
        raise OSError


@pytest.fixture
def _hasty_outflow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLOW_SECONDS", "CUT_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(f"gateway.daphne_flow.{name}", getattr(flow, name))


@pytest.mark.usefixtures("_hasty_outflow")
async def test_who_takes_nothing_is_told_once_and_cut() -> None:
    transport, told, before = Transport(), [], counts.slow_readers
    outflow = Outflow(transport, lambda: 0, lambda: told.append(transport.cut))
    transport.waits = 70_000
    outflow.pauseProducing()
    waiting = asyncio.create_task(outflow.drained())
    while not transport.cut:
        assert not waiting.done()
        await asyncio.sleep(0.01)
    outflow.stopProducing()
    await waiting
    assert told == [False], "before the line was cut"
    assert counts.slow_readers == before + 1


@pytest.mark.usefixtures("_hasty_outflow")
async def test_who_takes_a_little_at_a_time_is_waited_for() -> None:
    transport = Transport()
    outflow = Outflow(transport, lambda: 0, lambda: pytest.fail("given up"))
    transport.waits = 70_000
    outflow.pauseProducing()
    waiting = asyncio.create_task(outflow.drained())
    while transport.waits > 0:
        transport.waits = max(transport.waits - 2 * flow.LEAST_BYTES, 0)
        await asyncio.sleep(0.02)
    outflow.resumeProducing()
    await waiting
    assert not transport.cut


async def test_nobody_waits_where_there_is_room() -> None:
    outflow = Outflow(Transport(), lambda: 0, lambda: None)
    await asyncio.wait_for(outflow.drained(), 5)


# The wrapper


class Server:
    """A server that waits for its readers. `send` hangs while something waits in the transport."""

    def __init__(self, *events: Event) -> None:
        self.transport = Transport()
        self.sent: list[Event] = []
        self._events = [*events, {"type": "websocket.disconnect", "code": 1000}]

    async def receive(self) -> Event:
        return self._events.pop(0)

    async def send(self, event: Event) -> None:
        await until(lambda: not self.transport.waits)
        self.sent.append(event)


def received(**keys: Any) -> Event:
    return {"type": "websocket.receive", **keys}


@pytest.mark.parametrize(
    "large",
    [received(text="x" * (FRAME_BYTES + 1)), received(bytes=b"x" * (FRAME_BYTES + 1)), received(text="é" * 32_769)],
)
async def test_a_frame_too_large_ends_the_socket_with_its_code(large: Event) -> None:
    server, before = Server(received(text="x" * FRAME_BYTES), large, received(text="more")), counts.refused_frames
    line = Line(server.receive, server.send, is_socket=True)
    assert len((await line.receive())["text"]) == FRAME_BYTES
    for _ in range(2):
        assert await line.receive() == {"type": "websocket.disconnect", "code": 4009}
    assert server.sent == [{"type": "websocket.close", "code": 4009}]
    assert counts.refused_frames == before + 1
    with pytest.raises(Gone):
        await line.send({"type": "websocket.send", "text": "late"})


@pytest.mark.parametrize("is_socket", [True, False])
async def test_a_send_that_does_not_come_back_is_given_up(is_socket: bool) -> None:
    server, before = Server(), counts.slow_readers
    server.transport.waits = 70_000
    line = Line(server.receive, server.send, is_socket=is_socket)
    with pytest.raises(Gone):
        await line.send({"type": "websocket.send", "text": "x"})
    assert server.transport.cut
    assert counts.slow_readers == before + 1
    assert server.sent == []


async def test_a_send_to_a_slow_reader_comes_back() -> None:
    server = Server()
    server.transport.waits = 20 * 2 * flow.LEAST_BYTES
    line = Line(server.receive, server.send, is_socket=True)
    sending = asyncio.create_task(line.send({"type": "websocket.send", "text": "x"}))
    while server.transport.waits:
        server.transport.waits -= 2 * flow.LEAST_BYTES
        await asyncio.sleep(0.03)
    await sending
    assert not server.transport.cut
    assert len(server.sent) == 1


async def test_a_server_whose_transport_nobody_knows_is_given_up_too() -> None:
    server = Server()
    server.transport.waits = 1

    async def send(event: Event) -> None:
        await server.send(event)

    with pytest.raises(Gone):
        await Line(server.receive, send, is_socket=True).send({"type": "websocket.send", "text": "x"})


async def test_what_is_unsent_at_the_end_is_waited_for_and_then_cut() -> None:
    server = Server()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"x"})
        server.transport.waits = 5000

    await flow_control(application)({"type": "http"}, server.receive, server.send)
    assert not server.transport.cut
    await until(lambda: server.transport.cut)


async def test_an_application_that_writes_on_is_ended_without_an_error() -> None:
    server = Server()
    server.transport.waits = 1

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert counts.sockets == before + 1
        while True:
            await send({"type": "websocket.send", "text": "x"})

    before = counts.sockets
    await flow_control(application)({"type": "websocket"}, server.receive, server.send)
    assert counts.sockets == before


class OpenServer(Server):
    """As uvicorn's newer socket protocols: it tells where its handshakes stand."""

    handshake_complete, close_sent = True, False


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_ready_frame_is_what_the_library_would_send(size: int) -> None:
    text = "é" * (size // 2) + "x" * (size % 2)
    for one in (text, text, "another"):
        assert flow.wire(one) == Frame(Opcode.TEXT, one.encode()).serialize(mask=False)


def test_a_text_is_put_on_an_open_line_at_once() -> None:
    server = OpenServer()
    line = Line(server.receive, server.send, is_socket=True)
    assert line.write("hello")
    server.transport.waits = flow.UNSENT_BYTES - 1
    assert line.write("more")
    assert server.transport.written == [flow.wire("hello"), flow.wire("more")]


@pytest.mark.parametrize("fault", ["slow", "closing", "close_sent", "no_handshake", "unknown"])
def test_what_would_have_to_wait_goes_the_usual_way(fault: str) -> None:
    server = Server() if fault == "unknown" else OpenServer()
    server.transport.waits = flow.UNSENT_BYTES if fault == "slow" else 0
    server.transport.cut = fault == "closing"
    if isinstance(server, OpenServer):
        server.close_sent, server.handshake_complete = fault == "close_sent", fault != "no_handshake"
    assert not Line(server.receive, server.send, is_socket=True).write("hello")
    assert not server.transport.written


async def test_nothing_is_written_to_whoever_was_given_up() -> None:
    server = OpenServer(received(text="x" * (FRAME_BYTES + 1)))
    line = Line(server.receive, server.send, is_socket=True)
    await line.receive()
    assert not line.write("hello")


async def test_nothing_is_done_twice() -> None:
    """Neither under a server that controls the flow itself, nor inside another wrapper."""
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["extensions"], receive, send))

    server = Server()
    extensions: dict[str, Any] = {SERVED: {}}
    receive, send = server.receive, server.send
    await flow_control(application)({"type": "websocket", "extensions": extensions}, receive, send)
    assert seen == [(extensions, receive, send)]
    await flow_control(flow_control(application))({"type": "websocket"}, receive, send)
    assert type(seen[1][1].__self__) is Line
    assert seen[1][1].__self__._receive == receive
