"""What one client may cost, through whatever server it comes: sizes, patience, counts.

`flow_control` is for servers that neither measure frames nor give up on a reader. `serve` does both below ASGI.
"""

import asyncio
import contextlib
import fcntl
import logging
import socket
import struct
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.types import Application, Event, Receive, Scope, Send

logger = logging.getLogger(__name__)

FRAME_BYTES = 64 * 1024
FLOODING = 4008
FRAME_TOO_LARGE = 4009
TOO_SLOW = 4013

# A reader that takes less than this in so many seconds is told that it is too slow; a little later its line is cut.
LEAST_BYTES = 1024
SLOW_SECONDS = 6.0
CUT_SECONDS = 8.5
LOOK_SECONDS = 0.5
# What the kernel may hold for one reader, in its own count.
KERNEL_BYTES = 128 * 1024

# What may wait in this process for one reader before its pace is looked at.
UNSENT_BYTES = 16 * 1024

SERVED = "switchboard.flow"
"""The ASGI extension of a server that controls the flow itself. For a socket it may hold `write`: puts a text on the
line at once, without the way through `send`, and gives False where that would have to wait, or nobody reads it."""

ANSWER = "switchboard.answer"
"""The ASGI extension of a server that can be answered in one call: `answer(status)` writes a whole answer that has no
body, or gives False where it must go by `send`."""

body_bytes: dict[bytes, Callable[[bytes], int]] = {}
"""Paths whose bodies may be larger than others: how large, for whoever shows that `Authorization`."""


class Gone(OSError):
    """Nobody reads at the other end any more."""


@dataclass
class Counts:
    """`connections` and `sockets` are open now, the others are since the start. uvicorn tells no `connections`."""

    connections: int = 0
    sockets: int = 0
    slow_readers: int = 0
    paused_writers: int = 0
    refused_frames: int = 0
    refused_connections: int = 0


counts = Counts()


_last: tuple[str, bytes] = "", b"\x81\x00"


def wire(text: str) -> bytes:
    """A text as a server's frame on the line. Many sockets are given the same text, one after the other."""
    global _last
    if _last[0] is not text:
        _last = text, _framed(text.encode())
    return _last[1]


def _framed(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


class Patience:
    """How long a reader has taken nothing to speak of. `taken` gives a number of bytes, from any start."""

    def __init__(self, taken: Callable[[], int]) -> None:
        self._taken = taken
        self._mark = taken()
        self._since = time.monotonic()

    def look(self) -> float:
        """Seconds without progress."""
        taken, now = self._taken(), time.monotonic()
        if taken >= self._mark + LEAST_BYTES:
            self._mark, self._since = taken, now
        return now - self._since


def kernel_holds(line: Any) -> int:
    """Bytes that were handed to the kernel and that the other end has not confirmed; 0 where nobody can tell."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, b"\0" * 4))[0])
    except (OSError, ValueError):
        return 0


def report_slow() -> None:
    counts.slow_readers += 1
    logger.info("A reader that took nothing for %g s is dropped (code %d).", SLOW_SECONDS, TOO_SLOW)


def flow_control(application: Application) -> Application:
    """Around "http" or "websocket": bounds the frames of a socket, and waits for no reader for ever."""

    async def controlled(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = scope.get("extensions") or {}
        if SERVED in extensions:
            await application(scope, receive, send)
            return
        line = Line(receive, send, is_socket=scope["type"] == "websocket")
        counts.sockets += line.is_socket
        try:
            served = {"write": line.write} if line.is_socket else {}
            await application({**scope, "extensions": {**extensions, SERVED: served}}, line.receive, line.send)
        except Gone:
            logger.debug("An application wrote to a reader that was dropped.")
        finally:
            counts.sockets -= line.is_socket
            line.leave()

    return controlled


_leaving: set[asyncio.Task[None]] = set()


class Line:
    """`receive` and `send` of one connection under a server that waits for its readers."""

    def __init__(self, receive: Receive, send: Send, *, is_socket: bool) -> None:
        self.is_socket = is_socket
        self._receive = receive
        self._send = send
        self._code: int | None = None
        # ASGI has no word for cutting a line. uvicorn's `send` belongs to an object that has the transport.
        self._server: Any = getattr(send, "__self__", None)
        self._transport: Any = getattr(self._server, "transport", None)
        # uvicorn's newer socket protocols tell whether they are open; of others nothing is known.
        self._tells = hasattr(self._server, "close_sent") and hasattr(self._server, "handshake_complete")
        self._socket: Any = self._transport.get_extra_info("socket") if self._transport else None
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    async def receive(self) -> Event:
        if self._code is None:
            event = await self._receive()
            if not is_too_large(event.get("text") or event.get("bytes") or ""):
                return event
            counts.refused_frames += 1
            await self._close(FRAME_TOO_LARGE)
        return {"type": "websocket.disconnect", "code": self._code}

    async def send(self, event: Event) -> None:
        """Raises Gone where the reader was given up."""
        if self._code is not None:
            raise Gone
        if self._transport is not None and not self._unsent():
            await self._send(event)
            return
        sending = asyncio.ensure_future(self._send(event))
        patience = Patience(self._taken)
        try:
            while not (await asyncio.wait({sending}, timeout=LOOK_SECONDS))[0]:
                if patience.look() >= SLOW_SECONDS:
                    sending.cancel()
                    await self._drop()
                    raise Gone
        finally:
            sending.cancel()
        sending.result()

    def write(self, text: str) -> bool:
        # Once for each of the thousand sockets that show one word: a call more is a tenth of what a delivery costs.
        server, line = self._server, self._transport
        if self._code is not None or not self._tells or server.close_sent or not server.handshake_complete:
            return False
        if line.is_closing() or line.get_write_buffer_size() >= UNSENT_BYTES:
            return False
        line.write(wire(text))
        return True

    def leave(self) -> None:
        """The application has ended. What is still unsent is waited for as long as it moves."""
        if self._transport is not None and self._unsent():
            task = asyncio.create_task(self._until_sent())
            _leaving.add(task)
            task.add_done_callback(_leaving.discard)

    async def _until_sent(self) -> None:
        patience = Patience(self._taken)
        while self._unsent():
            if patience.look() >= CUT_SECONDS:
                self._cut()
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _drop(self) -> None:
        report_slow()
        if self.is_socket:
            await self._close(TOO_SLOW)
        if self._transport is not None:
            self._cut()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):  # The kernel is not to go on trying either.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def _close(self, code: int) -> None:
        self._code = code
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            await asyncio.wait_for(self._send({"type": "websocket.close", "code": code}), CUT_SECONDS - SLOW_SECONDS)

    def _unsent(self) -> int:
        return int(self._transport.get_write_buffer_size())

    def _taken(self) -> int:
        return -(self._unsent() + kernel_holds(self._socket)) if self._transport is not None else 0


def is_too_large(content: str | bytes) -> bool:
    if isinstance(content, bytes) or content.isascii() or len(content) > FRAME_BYTES:
        return len(content) > FRAME_BYTES
    return len(content.encode("utf-8", "surrogatepass")) > FRAME_BYTES
