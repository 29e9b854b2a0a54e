"""Daphne's sockets: read no faster than the application listens, written no faster than the client reads."""

import asyncio
import random
import time
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

from gateway import flow
from gateway.daphne_flow import Inflow, Outflow
from gateway.daphne_limits import BoundedChannel, BoundedRequest, leave
from gateway.flow import FLOODING, FRAME_BYTES, FRAME_TOO_LARGE, Gone, counts

FRAGMENTS = 1024
# Pings and pongs in the two seconds between Daphne's looks.
PINGS = 200
# A client that has much to say is listened to in turns, so that the others are heard in between.
STEPS_A_TURN = 32
REFUSED_SECONDS = 2.0
CLOSE_SECONDS = 5.0
PONG_SECONDS = 30.0
# How long an application may write to nobody before it is told, and how slowly.
DEAF_SECONDS = 1.0
DEAF_PAUSE_SECONDS = 0.01


class BoundedSocket(WebSocketProtocol):
    """A socket that is read no faster than its application listens, and written no faster than its client reads.

    What breaks the rules is answered with a code and then with silence, instead of a cut line.
    """

    transport: Any
    outflow: Outflow
    maxFramePayloadSize = maxMessagePayloadSize = FRAME_BYTES
    failByDrop = False

    _held = False
    _turn_over = False
    _deaf = False
    _counted = False
    _fragments = 0
    _pings = 0
    _heard = 0.0
    _ping_backlog = 0
    _ping_taken = 0
    _gone_since: float | None = None

    # Its life

    @property
    def closeHandshakeTimeout(self) -> float:
        """Seconds. Not the same for all: two dozen who flood come back as soon as they are let go, and all at once they
        are a tenth of a second for everybody else."""
        return CLOSE_SECONDS * random.uniform(0.4, 1.6)  # noqa: S311  # jitter

    def connectionMade(self) -> None:
        super().connectionMade()
        self.outflow = Outflow(self.transport, lambda: self.trafficStats.outgoingOctetsWireLevel, self._too_slow)
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.outflow, True)

    def onConnect(self, request: Any) -> Any:
        counts.sockets += 1
        self._counted = True
        return super().onConnect(request)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if not self._counted:
            return  # The handshake failed before anybody was asked.
        counts.sockets -= 1
        self._counted = False
        if self.closedByMe and not wasClean:
            code = self.localCloseCode  # Not that the client gave no answer to it.
        super().onClose(wasClean, code, reason)

    def connectionLost(self, reason: Any = None) -> None:
        leave(self.transport)
        self.outflow.stopProducing()
        super().connectionLost(reason)
        self._let_garbage_be_free()

    def _let_garbage_be_free(self) -> None:
        """Of what holds this socket and is held by it: some kilobytes, which would wait until garbage is looked for."""
        events: Inflow | None = getattr(self, "application_queue", None)
        if events is not None:
            events.end()
        self.is_closed = None

    # Reading

    def hold(self) -> None:
        """The application has enough to do."""
        counts.paused_writers += 1
        self._held = True
        self.transport.pauseProducing()

    def let_go(self) -> None:
        self._held = False
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._turn_over = False
        self._heard = time.monotonic()
        if self.transport.connected and not (self._held or self._deaf):
            self.consumeData()
            if not self._held and not self._turn_over:
                self.transport.resumeProducing()

    def _dataReceived(self, data: bytes) -> None:
        self._heard = time.monotonic()
        super()._dataReceived(data)

    def consumeData(self) -> None:
        if self.state == self.STATE_CONNECTING:
            self._consume_handshake()
            return
        for _ in range(STEPS_A_TURN):
            if self._deaf or self.state == self.STATE_CLOSED:
                self.data = b""
                return
            if self._held or not self.processData():
                return
        if not self._turn_over:
            self._turn_over = True
            self.transport.pauseProducing()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _consume_handshake(self) -> None:
        """What comes before the application has answered is kept, for it is no second handshake."""
        if not hasattr(self, "handshake_deferred"):
            super().consumeData()
        elif len(self.data) > FRAME_BYTES:
            self.transport.abortConnection()

    def onMessageBegin(self, isBinary: bool) -> None:
        self._fragments = 0
        super().onMessageBegin(isBinary)

    def onMessageFrameBegin(self, length: int) -> None:
        self._fragments += 1
        if self._fragments > FRAGMENTS:
            self._refuse(FRAME_TOO_LARGE)
        super().onMessageFrameBegin(length)

    def onPing(self, payload: bytes) -> None:
        # Of those who do not read, a pong more would only wait with the rest.
        if self._admits_ping() and not self.outflow.paused:
            super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        self._admits_ping()

    def _admits_ping(self) -> bool:
        self._pings += 1
        if self._pings > PINGS:
            self._refuse(FLOODING)
        return self._pings <= PINGS

    def _max_message_size_exceeded(self, *_: Any) -> None:
        self._refuse(FRAME_TOO_LARGE)

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        self._refuse(code, reason)

    def _refuse(self, code: int, reason: str = "") -> None:
        """Says why, and listens no more. The line stays a moment: cut at once it would take the code with it."""
        if self._deaf or self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            return
        counts.refused_frames += 1
        self.failedByMe = self._deaf = True
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:120] or None)
        self.transport.loseWriteConnection()
        self.transport.pauseProducing()
        asyncio.get_running_loop().call_later(REFUSED_SECONDS, self.transport.abortConnection)

    def dropConnection(self, abort: bool = False) -> None:
        if self._deaf:
            return
        if not abort:
            # A transport whose producer is paused never comes to its end by itself.
            self.transport.unregisterProducer()
        super().dropConnection(abort)

    # Writing

    def handle_reply(self, message: dict[str, Any]) -> None:
        # Daphne takes an empty text for none.
        if message["type"] == "websocket.send" and message.get("text") == "" and not message.get("bytes"):
            self.serverSend("")
        else:
            super().handle_reply(message)

    def write(self, text: str) -> bool:
        """As `send` would in the end; False where it has to wait, or nobody reads."""
        if self.state != self.STATE_OPEN or self.outflow.paused or self.send_queue:
            return False
        frame = flow.wire(text)
        self.transport.write(frame)
        self.trafficStats.outgoingOctetsWireLevel += len(frame)
        return True

    def is_over(self) -> bool:
        return self.state in (self.STATE_CLOSING, self.STATE_CLOSED)

    async def swallow(self) -> None:
        """Takes words that nobody will hear; the application learns of its end by itself. One that only writes, and
        never listens, is told: raises Gone."""
        self._gone_since = self._gone_since or time.monotonic()
        if time.monotonic() - self._gone_since > DEAF_SECONDS:
            raise Gone("Nobody reads this socket any more.")
        await asyncio.sleep(DEAF_PAUSE_SECONDS)

    def _too_slow(self) -> None:
        if self.state == self.STATE_OPEN:
            self.sendClose(code=flow.TOO_SLOW)

    # Keeping alive

    def check_timeouts(self) -> None:
        self._pings = 0
        if self.is_over():
            self.outflow.watch()
        super().check_timeouts()

    def _sendAutoPing(self) -> None:
        # Behind a heap of unread words a ping would arrive late, and its pong be missed.
        if not self.outflow.paused:
            self._ping_backlog, self._ping_taken = self.outflow.backlog(), self.outflow.taken()
            super()._sendAutoPing()

    def onAutoPingTimeout(self) -> None:
        self.autoPingTimeoutCall = None
        if not self._is_alive():
            super().onAutoPingTimeout()

    def _is_alive(self) -> bool:
        """A pong may wait behind what we have not read yet, or what the client has not."""
        if self._held or self.outflow.paused or time.monotonic() - self._heard < PONG_SECONDS:
            return True
        return self._ping_backlog > 0 and self.outflow.taken() > self._ping_taken


def bound(server: Any) -> None:
    """Has a running daphne.server.Server use these for new connections; its factories know no other way."""
    build = server.http_factory.buildProtocol

    def build_bounded(address: Any) -> Any:
        protocol = build(address)
        protocol.requestFactory = BoundedRequest
        return protocol

    configure_once(server.ws_factory)
    server.http_factory.protocol = BoundedChannel
    server.http_factory.buildProtocol = build_bounded
    server.ws_factory.protocol = BoundedSocket
    # Twisted writes a line for each request, to a log that Daphne sends nowhere.
    server.http_factory.log = lambda request: None


def configure_once(factory: Any) -> None:
    """autobahn copies a factory's options to every connection, and formats them for a log that nobody reads: half of
    what it costs to open one."""
    for name in WebSocketProtocol.CONFIG_ATTRS:
        if not hasattr(BoundedSocket, name):
            option = getattr(factory, name)
            # A function, such as the one that is asked about compression, is no method of the socket.
            setattr(BoundedSocket, name, staticmethod(option) if callable(option) else option)
    BoundedSocket.CONFIG_ATTRS = []
