"""Web sockets as cheap as they can be: no library, no masks to compute, frames counted and not decoded."""

import asyncio
import json
import os
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from bench.load import Result, milliseconds
from bench.usage import Usage, usage
from bench.webhooks import address

TEXT, PING, PONG = 0x81, 0x89, 0x8A
# So many handshakes at once: more would only wait in the listener's backlog.
AT_ONCE = 50
OPEN_SECONDS = 60.0
FROM_BOT = b'"from":"bot"'
MESSAGE = b'{"type":"message"'


class Socket(asyncio.Protocol):
    """One client. `heard(socket, payload)` is called for each frame."""

    def __init__(self, url: str, path: str, heard: Callable[["Socket", bytes], None], cookie: str = "") -> None:
        host = urlsplit(url).netloc
        key = b64encode(os.urandom(16)).decode()
        self._hello = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nOrigin: {url}\r\n"
            + (f"Cookie: {cookie}\r\n" if cookie else "")
            + "\r\n"
        ).encode()
        self._heard = heard
        self._buffer = b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.number = 0
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            head, end, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(head.partition(b"\r\n")[0].decode()))
                return
            self.opened.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            length, start = buffer[at + 1], at + 2
            if length == 126:
                start = at + 4
                length = int.from_bytes(buffer[at + 2 : start]) if len(buffer) >= start else len(buffer)
            elif length == 127:
                start = at + 10
                length = int.from_bytes(buffer[at + 2 : start]) if len(buffer) >= start else len(buffer)
            if len(buffer) < start + length:
                break
            if buffer[at] == TEXT:
                self._heard(self, buffer[start : start + length])
            elif buffer[at] == PING:
                self._write(PONG, buffer[start : start + length])
            at = start + length
        self._buffer = buffer[at:]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed in the handshake"))

    def send(self, frame: dict[str, Any]) -> None:
        self._write(TEXT, json.dumps(frame).encode())

    def _write(self, kind: int, payload: bytes) -> None:
        # A mask of zeros is a mask, and leaves the words as they are.
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self.transport.write(bytes([kind]) + length + b"\0\0\0\0" + payload)


def ignore(socket: Socket, payload: bytes) -> None:
    """What comes does not matter."""


async def open_sockets(
    count: int, url: str, path: str, heard: Callable[[Socket, bytes], None], cookie: str = ""
) -> list[Socket]:
    (host, port), loop, turn = address(url), asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

    async def open_one() -> Socket:
        async with turn:
            socket = Socket(url, path, heard, cookie)
            await loop.create_connection(lambda: socket, host, port)
            await asyncio.wait_for(socket.opened, OPEN_SECONDS)
            return socket

    return await asyncio.gather(*(open_one() for _ in range(count)))


class Visitors:
    """Sockets of visitors: greeted, then each says something and waits for the bot's answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sockets: list[Socket] = []
        self.welcomed = 0
        self.trips = 0
        self.latencies: list[float] = []
        self.all_welcomed = asyncio.Event()
        self.conversation = ""
        self.trouble = ""
        self.over = False
        self._wanted = 0
        self._said = 0
        self.answered: Callable[[Socket], None] = lambda socket: None

    async def open(self, count: int) -> None:
        self._wanted += count
        self.all_welcomed.clear()
        opened = await open_sockets(count, self.url, "/ws/chat/", self._heard)
        for socket in opened:
            socket.send({"type": "hello", "token": None, "since": 0, "bot": "bot"})
        self.sockets += opened
        await asyncio.wait_for(self.all_welcomed.wait(), OPEN_SECONDS + count / 100)
        if self.trouble:
            raise ConnectionError(self.trouble)

    def _heard(self, socket: Socket, payload: bytes) -> None:
        if payload.startswith(MESSAGE):
            if FROM_BOT in payload:
                self.trips += 1
                self.latencies.append(time.perf_counter() - socket.sent_at)
                self.answered(socket)
        elif payload.startswith(b'{"type":"welcome"'):
            self.welcomed += 1
            self.conversation = json.loads(payload)["conversation"]
            if self.welcomed == self._wanted:
                self.all_welcomed.set()
        elif payload.startswith(b'{"type":"error"'):
            self.trouble = payload.decode()
            self.all_welcomed.set()

    def say(self, socket: Socket) -> None:
        if not self.over:
            self._said += 1
            socket.sent_at = time.perf_counter()
            socket.send({"type": "message", "id": f"m{self._said}", "text": f"u{self._said}c1"})

    def close(self) -> None:
        self.over = True
        for socket in self.sockets:
            socket.transport.abort()


async def talk(url: str, pid: int, *, visitors: int, rate: float, warm: float, seconds: float) -> Result:
    """Round trips through the bot. `rate` 0: each visitor goes on as soon as it is answered."""
    people = Visitors(url)
    await people.open(visitors)
    pacing: asyncio.Task[None] | None = None
    if rate:
        pacing = asyncio.create_task(_pace(people, rate))
    else:
        people.answered = people.say
        for socket in people.sockets:
            people.say(socket)
    await asyncio.sleep(warm)
    people.latencies.clear()
    before, trips, own = usage(pid), people.trips, time.process_time()
    await asyncio.sleep(seconds)
    used, done = usage(pid).since(before), people.trips - trips
    driver = (time.process_time() - own) * 1e6
    if pacing is not None:
        pacing.cancel()
    people.over = True
    await asyncio.sleep(0.3)
    people.close()
    return {
        "trips": done,
        "per_second": round(done / used.clock, 1),
        "us": round(used.processor / max(done, 1), 1),
        "driver_us": round(driver / max(done, 1), 1),
        **milliseconds(people.latencies),
    }


async def _pace(people: Visitors, rate: float) -> None:
    loop = asyncio.get_running_loop()
    began, turn = loop.time(), 0
    while True:
        turn += 1
        await asyncio.sleep(began + turn / rate - loop.time())
        people.say(people.sockets[turn % len(people.sockets)])


async def idle(url: str, pid: int, *, count: int, settle: float) -> Result:
    """Opens sockets that say nothing but hello: how fast, how large, and what they cost in `settle` seconds."""
    warm = Visitors(url)
    await warm.open(20)
    warm.close()
    await asyncio.sleep(0.5)
    before = usage(pid)
    people = Visitors(url)
    await people.open(count)
    opened = usage(pid).since(before)
    await asyncio.sleep(1.0)
    quiet = usage(pid)
    await asyncio.sleep(settle)
    after = usage(pid)
    people.close()
    return {
        "sockets": count,
        "open_seconds": round(opened.clock, 2),
        "open_us": round(opened.processor / count, 1),
        "kib_each": round(after.since(before).resident / count, 1),
        "idle_busy": round(_busy(after.since(quiet)), 4),
    }


async def idle_over(urls: Sequence[str], pids: Sequence[int], *, count: int, settle: float) -> Result:
    """`count` of them over several processes, each of which opens its share while the others do."""
    warm, people = [Visitors(url) for url in urls], [Visitors(url) for url in urls]
    for few in warm:
        await few.open(20)
        few.close()
    await asyncio.sleep(0.5)
    before = usage(*pids)
    await asyncio.gather(*(one.open(count // len(urls)) for one in people))
    opened = usage(*pids).since(before)
    await asyncio.sleep(1.0)
    quiet = usage(*pids)
    await asyncio.sleep(settle)
    after = usage(*pids)
    number = sum(len(one.sockets) for one in people)
    for one in people:
        one.close()
    return {
        "sockets": number,
        "processes": len(urls),
        "open_seconds": round(opened.clock, 2),
        "open_us": round(opened.processor / number, 1),
        "kib_each": round(after.since(before).resident / number, 1),
        "idle_busy": round(_busy(after.since(quiet)), 4),
    }


def _busy(used: Usage) -> float:
    return used.processor / used.clock / 1e6


class Operators:
    """Sockets that watch one conversation; the first of them holds it and speaks."""

    def __init__(self, url: str, cookie: str) -> None:
        self.url = url
        self.cookie = cookie
        self.seen = 0
        self.wanted = 0
        self.all_saw = asyncio.Event()
        self.held = asyncio.Event()

    async def open(self, count: int, conversation: str) -> None:
        self.sockets = await open_sockets(count, self.url, "/ws/chat/admin/", self._heard, self.cookie)
        self.sockets[0].send({"type": "hello"})
        self.sockets[0].send({"type": "take", "conversation": conversation})
        await asyncio.wait_for(self.held.wait(), OPEN_SECONDS)
        self.wanted = 2 * count  # The visitor's words and the bot's.
        for socket in self.sockets:
            socket.send({"type": "watch", "conversation": conversation, "since": 0})
        await asyncio.wait_for(self.all_saw.wait(), OPEN_SECONDS)

    def _heard(self, socket: Socket, payload: bytes) -> None:
        if payload.startswith(MESSAGE):
            self.seen += 1
            if self.seen >= self.wanted:
                self.all_saw.set()
        elif payload.startswith(b'{"type":"conversation"') and b'"held"' in payload:
            self.held.set()
        elif payload.startswith(b'{"type":"error"'):
            raise ConnectionError(payload.decode())

    async def say(self, conversation: str, number: int) -> None:
        """Returns when everybody has it."""
        self.seen, self.wanted = 0, len(self.sockets)
        self.all_saw.clear()
        frame = {
            "type": "say",
            "conversation": conversation,
            "id": f"s{number}",
            "text": f"Word {number}",
            "seen": 2**50,
        }
        self.sockets[0].send(frame)
        await asyncio.wait_for(self.all_saw.wait(), OPEN_SECONDS)

    def close(self) -> None:
        for socket in self.sockets:
            socket.transport.abort()


async def fan_out(url: str, pid: int, *, cookie: str, sockets: int, seconds: float) -> Result:
    """One operator speaks, `sockets` of them see it; the next word when all have seen the last."""
    visitor = Visitors(url)
    await visitor.open(1)
    answered = asyncio.Event()
    visitor.answered = lambda socket: answered.set()
    visitor.say(visitor.sockets[0])
    await asyncio.wait_for(answered.wait(), OPEN_SECONDS)
    operators = Operators(url, cookie)
    await operators.open(sockets, visitor.conversation)
    await operators.say(visitor.conversation, 0)
    before, own, number, spans = usage(pid), time.process_time(), 0, []
    while usage(pid).since(before).clock < seconds:
        number += 1
        began = time.perf_counter()
        await operators.say(visitor.conversation, number)
        spans.append(time.perf_counter() - began)
    used, seen = usage(pid).since(before), number * sockets
    driver = (time.process_time() - own) * 1e6
    operators.close()
    visitor.close()
    return {
        "sockets": sockets,
        "words": number,
        "deliveries_per_second": round(seen / used.clock),
        "us": round(used.processor / seen, 2),
        "driver_us": round(driver / seen, 2),
        **milliseconds(spans),
    }
