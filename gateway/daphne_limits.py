"""What Daphne takes in and holds for a client, bounded: connections, headers, bodies."""

import asyncio
import logging
import math
import resource
import socket
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from daphne.http_protocol import WebRequest
from django.conf import settings
from twisted.internet import reactor, tcp
from twisted.web.http import RESPONSES, HTTPChannel, datetimeToString

from gateway import flow
from gateway.daphne_flow import Outflow, unsent
from gateway.daphne_scope import plain_scope
from gateway.flow import counts
from gateway.types import Scope

logger = logging.getLogger(__name__)

BODY_BYTES = 1024 * 1024
LINGER_SECONDS = 10.0
HEADER_SECONDS = 20
BODY_SECONDS = 60
LARGE_BODY_SECONDS = 300
REFUSED_SECONDS = 2
# Open files that are no connections: the database, Telegram, logs.
OTHER_FILES = 256

TOO_LARGE = b"HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
FULL_TEXT = b"The gateway has as many connections open as it may (MAX_CONNECTIONS). Try again later.\n"
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(FULL_TEXT)
) + FULL_TEXT

lines: set[Any] = set()
"""The open connections, as Twisted's transports."""


class Room:
    """How many connections, and how many of them sockets, so that pages, webhooks and probes still find a place."""

    def __init__(self, connections: int) -> None:
        self.connections = connections
        self.sockets = connections - connections // 10


def room_for_connections() -> Room:
    """MAX_CONNECTIONS, or fewer where the system lets this process open too few files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted: int = settings.MAX_CONNECTIONS
    possible = wanted if hard == resource.RLIM_INFINITY else max(hard - OTHER_FILES, 16)
    if possible < wanted:
        logger.warning(
            "MAX_CONNECTIONS is %d, but this process may open only %d files: %d connections. See ulimit -n.",
            wanted, hard, possible,
        )  # fmt: skip
    return Room(min(wanted, possible))


def enter(line: Any) -> None:
    lines.add(line)
    counts.connections = len(lines)


def leave(line: Any) -> None:
    lines.discard(line)
    counts.connections = len(lines)


def is_anything_unsent() -> bool:
    return any(unsent(line) for line in lines if line.connected)


class PromptTransport(tcp.Server):
    """Tries the kernel first. Twisted's own asks the selector to tell when it may write, and after that not to: two
    calls more for every frame and every answer."""

    def write(self, data: bytes) -> None:
        if data and self.connected and not (self._writeDisconnected or unsent(self)):
            taken = self.writeSomeData(data)
            if isinstance(taken, int):  # Else it is the error, which the usual way is to meet.
                data = data[taken:]
        if data:
            super().write(data)

    def writeSequence(self, parts: Iterable[bytes]) -> None:
        self.write(b"".join(parts))


class BoundedChannel(HTTPChannel):
    """One connection. The time for all of a request's headers, and for all of its body, is bounded, since a few bytes
    now and then would hold it for ever."""

    transport: Any
    outflow: Outflow
    _idle = False
    _due = _timer_at = math.inf
    _timer: asyncio.TimerHandle | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.setTimeout(HEADER_SECONDS)
        line = self.transport
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, flow.KERNEL_BYTES)
        self.outflow = Outflow(line, written=lambda: 0, give_up=lambda: None)
        if len(lines) >= self._server.room.connections:
            self._refuse(line)
        else:
            enter(line)

    @property
    def _server(self) -> Any:
        factory: Any = self.factory
        return factory.server

    def _refuse(self, line: Any) -> None:
        counts.refused_connections += 1
        line.write(FULL)
        # The request is still on its way: closed at once, the line would take the answer with it.
        line.loseWriteConnection()
        self.dataReceived = lambda data: None  # type: ignore[method-assign]
        self.setTimeout(REFUSED_SECONDS)

    def dataReceived(self, data: bytes) -> None:
        if self._idle:
            self._idle = False
            self.setTimeout(HEADER_SECONDS)
        super().dataReceived(data)

    def resetTimeout(self) -> None:
        """What trickles in wins no time."""

    def setTimeout(self, period: int | None) -> int | None:
        """Twisted sets its timer anew, and searches all that there are for it, twice for every request. This one looks
        what is due when it comes, which is soon enough for every period but the shortest."""
        previous, self.timeOut = self.timeOut, period
        now = asyncio.get_running_loop().time()
        self._due = math.inf if period is None else now + period
        if self._timer is None or self._due < self._timer_at:
            self._look_later(now)
        return previous

    def _look_later(self, now: float) -> None:
        self.end_timer()
        if self._due < math.inf:
            when = min(self._due, now + HEADER_SECONDS)
            self._timer, self._timer_at = asyncio.get_running_loop().call_at(when, self._look), when

    def _look(self) -> None:
        self._timer, now = None, asyncio.get_running_loop().time()
        if self._due <= now:
            self._due = math.inf
            self.timeoutConnection()
        else:
            self._look_later(now)

    def end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def allHeadersReceived(self) -> None:
        self._idle = False
        self.setTimeout(BODY_SECONDS)
        super().allHeadersReceived()

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        if self._server.stopping is not None:
            request.responseHeaders.setRawHeaders("Connection", ["close"])
            return False
        return bool(super().checkPersistence(request, version))

    def requestDone(self, request: Any) -> None:
        self._idle = True
        super().requestDone(request)

    def loseConnection(self) -> Any:
        lost = super().loseConnection()
        self.outflow.watch()
        return lost

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.outflow.pauseProducing()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.outflow.resumeProducing()

    def connectionLost(self, reason: Any = None) -> None:
        leave(self.transport)
        self.outflow.stopProducing()
        super().connectionLost(reason)
        self.end_timer()


class BoundedRequest(WebRequest):
    """A body is refused as soon as it is announced, or has grown, too large. What still comes of it is dropped for a
    while, since a line that is cut at once takes the answer with it."""

    _taken = 0
    _refused = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channel: Any = self.channel
        self.outflow: Outflow = channel.outflow
        # Django reads forms itself. Over a body's type alone Twisted takes longer than the webhook over an update.
        self._parsePOSTFormSubmission = False

    @cached_property
    def _most(self) -> int:
        channel: Any = self.channel
        allowed = flow.body_bytes.get(bytes(channel._path).partition(b"?")[0])
        if allowed is None:
            return BODY_BYTES
        channel.setTimeout(LARGE_BODY_SECONDS)
        return max(allowed((self.requestHeaders.getRawHeaders(b"authorization") or [b""])[0]), BODY_BYTES)

    def gotLength(self, length: int | None) -> None:
        too_long = length is not None and length > self._most
        super().gotLength(0 if too_long else length)
        if too_long:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._taken += len(data)
        if not self._refused and self._taken > self._most:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self._refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def process(self) -> Any:
        if (scope := plain_scope(self)) is not None:
            self._hand_over(scope)
            return None
        if self.requestHeaders.hasHeader(b"Upgrade") and counts.sockets >= self.server.room.sockets:
            counts.refused_connections += 1
            channel: Any = self.channel
            channel.persistent = False
            self.setHeader(b"Retry-After", b"5")
            self.setHeader(b"Connection", b"close")
            self.basic_error(503, b"Service Unavailable", "As many sockets are open as may be (MAX_CONNECTIONS).")
            return None
        processed = super().process()
        if self.transport is None:
            line: Any = self.channel
            line.requests.clear()  # The line is a socket's now; they would hold each other.
            line.end_timer()
        return processed

    def _hand_over(self, scope: Scope) -> None:
        content: Any = self.content
        content.seek(0, 0)
        queue = self.application_queue = self.server.create_application(self, scope)
        more, size = True, self.server.request_buffer_size
        while more:
            chunk = content.read(size)
            more = len(chunk) == size
            queue.put_nowait({"type": "http.request", "body": chunk, "more_body": more})

    def answer(self, status: int) -> bool:
        """See `flow.ANSWER`."""
        channel: Any = self.channel
        if channel is None or not channel.persistent or self._response_started or self.finished or self._disconnected:
            return False
        if self.method == b"HEAD" or unsent(channel.transport):
            return False
        self._response_started, self.startedWriting = True, 1
        head = (b"HTTP/1.1 %d %s" % (status, RESPONSES[status]), b"Server: switchboard", b"Date: " + datetimeToString())
        channel.transport.write(b"\r\n".join((*head, b"Content-Length: 0\r\n\r\n")))
        self.finish()
        return True

    def check_timeouts(self) -> None:
        # Once the answer has begun, its reader sets the pace; a reader that takes nothing is given up elsewhere.
        if not self._response_started:
            super().check_timeouts()

    def _refuse(self) -> None:
        self._refused = True
        channel: Any = self.channel
        channel.transport.write(TOO_LARGE)
        clock: Any = reactor
        clock.callLater(LINGER_SECONDS, channel.loseConnection)
