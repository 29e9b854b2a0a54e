"""Kept lines to the Bot API: one call at a time on each, as HTTP/1.1, and nothing else that a client could do.

A general client costs more than all that the gateway does for a message (docs/performance.md). What becomes of a call
is told by type: Later, where its request was surely not sent, else Unknown. No exception knows the request, whose path
holds the token.
"""

import asyncio
import ctypes
import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast
from urllib.parse import SplitResult

import httptools
from aiohappyeyeballs import start_connection
from msgspec import Struct

from gateway.errors import DeliveryError, Later, Unknown

CONNECT_SECONDS = 10.0
# Shorter than any server's own: a line that the server closes as we write on it makes an outcome unknown.
KEEP_ALIVE_SECONDS = 4.0
# The second of two addresses of a host is tried beside the first after so long.
SECOND_ADDRESS_SECONDS = 0.25
MAX_ANSWER = 16 * 1024 * 1024
PORTS = {"http": 80, "https": 443}
TOLD = (b"retry-after", b"content-encoding")
"""The headers that somebody asks for."""


class Answer(Struct, frozen=True):
    """`headers`: some of them, by names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Told = Answer | DeliveryError
"""What becomes of a call."""
Tell = Callable[[Told], None]

# socket.recv lets go of the interpreter, for which each call then wakes whichever thread waits for it, and mostly for
# nothing: it costs three times as much, and is made for every call.
_peek = ctypes.PyDLL(None, use_errno=True).recv
_peek.argtypes, _peek.restype = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_ssize_t
_BYTE = ctypes.create_string_buffer(1)
_PEEKING = socket.MSG_PEEK | socket.MSG_DONTWAIT


def is_silent(descriptor: int) -> bool:
    """Nothing has come on that socket that was not read: neither its end nor what nobody has asked for."""
    return bool(_peek(descriptor, _BYTE, 1, _PEEKING) < 0 and ctypes.get_errno() == errno.EAGAIN)


class Lines:
    """To one host. As many as there are calls at once; whoever calls has a limit of their own."""

    def __init__(self, place: SplitResult) -> None:
        self._host, self._port = place.hostname or "", place.port or PORTS[place.scheme]
        self._tls = ssl.create_default_context() if place.scheme == "https" else None
        self._loop = asyncio.get_running_loop()
        self._idle: list[Line] = []
        self._open: set[Line] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def ask(self, request: bytes, silence: float) -> Answer:
        """`silence`: seconds without a word while the answer is awaited. Raises Later or Unknown."""
        line = self.kept() or await self._opened()
        answer: asyncio.Future[Answer] = self._loop.create_future()
        line.ask(request, silence, partial(_settle, answer))
        try:
            return await answer
        finally:
            if answer.cancelled():
                line.drop()

    def kept(self) -> "Line | None":
        """A line that can be asked this very moment, which its caller has then. It is the one that was used last: those
        that are not needed grow old, and are closed."""
        while self._idle:
            line = self._idle.pop()
            if line.is_sound(self._loop.time() - KEEP_ALIVE_SECONDS):
                return line
            line.drop()
        return None

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for line in tuple(self._open):
            line.drop()

    # What lines tell

    def began(self, line: "Line") -> None:
        self._open.add(line)

    def rests(self, line: "Line") -> None:
        """It can take the next call."""
        self._idle.append(line)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(KEEP_ALIVE_SECONDS, self._sweep)

    def ended(self, line: "Line") -> None:
        self._open.discard(line)
        if line in self._idle:
            self._idle.remove(line)

    # Inside

    def _sweep(self) -> None:
        self._sweeper = None
        oldest = self._loop.time() - KEEP_ALIVE_SECONDS
        for line in [line for line in self._idle if line.since <= oldest]:
            line.drop()
        if self._idle:
            wait = self._idle[0].since - oldest
            self._sweeper = self._loop.call_later(max(wait, 0.05), self._sweep)

    async def _opened(self) -> "Line":
        failure = Later("No connection to the Bot API: timed out.")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._connect()
        except ssl.SSLError:
            failure = Later("No connection to the Bot API: TLS failed.")
        except TimeoutError:
            pass
        except (OSError, UnicodeError) as error:
            told = error.strerror if isinstance(error, OSError) else None
            failure = Later(f"No connection to the Bot API ({told or 'of no address'}).")
        raise failure

    async def _connect(self) -> "Line":
        found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        sock = await start_connection(found, happy_eyeballs_delay=SECOND_ADDRESS_SECONDS, interleave=1)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, line = await self._loop.create_connection(
                lambda: Line(self, sock), sock=sock, ssl=self._tls, server_hostname=self._host if self._tls else None
            )
        except BaseException:
            sock.close()
            raise
        return line


class Line(asyncio.Protocol):
    """`since`: when it fell idle."""

    def __init__(self, lines: Lines, sock: socket.socket) -> None:
        self._lines = lines
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._tell: Tell | None = None
        self._answer: Told | None = None
        self._keeps = False
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        # An answer that says neither how long it is nor that it comes in chunks ends with the line.
        self._has_head = self._has_length = False
        self._silence = self._deadline = self._latest = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.since = 0.0

    def ask(self, request: bytes, silence: float, tell: Tell) -> None:
        """`tell` is called once, when its answer has come or none can come any more."""
        if self._transport is None or self._transport.is_closing():
            tell(Later("The line to the Bot API was cut before the call."))
            return
        self._tell = tell
        self._begin()
        now = self._loop.time()
        self._silence, self._deadline, self._latest = silence, now + silence, now + silence + CONNECT_SECONDS
        if self._timer is None or self._timer_at > self._deadline:
            self._watch()
        self._transport.write(request)

    def is_sound(self, oldest: float) -> bool:
        """Whether it may be written on: not closed at the other end, even where the loop has not heard of it yet."""
        if self.since <= oldest or self._transport is None or self._transport.is_closing():
            return False
        return is_silent(self._socket.fileno())

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Its transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._lines.began(self)

    def data_received(self, data: bytes) -> None:
        if self._tell is None:
            self.drop()
            return
        self._deadline = min(self._loop.time() + self._silence, self._latest)
        self._size += len(data)
        if self._size > MAX_ANSWER:
            self._fail(f"The answer was longer than {MAX_ANSWER // 1024 // 1024} MiB.")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._answer is None:
                self._fail("What came as the Bot API's answer is no HTTP.")
                return
            self._keeps = False  # It came behind a whole answer.
        if self._answer is not None:
            self._end(self._answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._lines.ended(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._has_head and not self._has_length and error is None:
            self._tell_once(self._whole())
        else:
            self._fail("The line to the Bot API was cut under the call.")

    # Its parser

    def on_message_begin(self) -> None:
        if self._tell is None or self._answer is not None:
            self.drop()  # A second answer to one call: nobody knows what the next one would be to.

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in TOLD:
            self._headers[name.decode()] = value.decode("latin-1")
        elif name in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._begin()  # A word before the answer.
        elif self._answer is None:
            self._keeps, self._answer = self._parser.should_keep_alive(), self._whole()

    # Its end

    def _begin(self) -> None:
        self._headers, self._body, self._size = {}, [], 0
        self._has_head = self._has_length = False

    def _whole(self) -> Told:
        if self._headers.get("content-encoding", "identity").lower() != "identity":
            return Unknown("The answer came in an encoding that was not asked for.")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Answer(self._parser.get_status_code(), self._headers, body)

    def _end(self, answer: Told) -> None:
        """It rests before it tells: whoever is told may have the next call for it."""
        self._answer = None
        if self._keeps and self._transport is not None and not self._transport.is_closing():
            self.since = self._loop.time()
            self._lines.rests(self)
        else:
            self.drop()
        self._tell_once(answer)

    def _fail(self, reason: str) -> None:
        self._tell_once(Unknown(reason))
        self.drop()

    def _tell_once(self, told: Told) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(told)

    # Its one timer, which is not set anew for every call: it looks what time it is when it comes

    def _watch(self) -> None:
        if self._timer is not None and self._timer_at > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer, self._timer_at = self._loop.call_at(self._deadline, self._look), self._deadline

    def _look(self) -> None:
        self._timer = None
        if self._tell is None:
            return
        if self._loop.time() >= self._deadline - 0.001:
            self._fail("The Bot API did not answer in time.")
        else:
            self._watch()


def _settle(answer: "asyncio.Future[Answer]", told: Told) -> None:
    if answer.done():
        return
    if isinstance(told, Answer):
        answer.set_result(told)
    else:
        answer.set_exception(told)
