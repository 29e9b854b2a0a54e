"""uvicorn's sockets with the bounds of `serve`: `uvicorn --ws gateway.uvicorn_sockets:BoundedSocket`.

uvicorn parses all that it has read at once, so that an application hears too late of what is in it.
"""

import logging
import time
from typing import Any

from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import ProtocolError
from websockets.frames import CloseCode, Frame, Opcode, apply_mask  # type: ignore[attr-defined]  # not in its __all__
from websockets.server import ServerProtocol

from gateway.flow import FLOODING, FRAME_BYTES, FRAME_TOO_LARGE, counts
from gateway.waiting import Gate, Inbox

# The two bytes before a client's short text: one frame is the whole message, masked, and so long.
FINAL_TEXT, MASKED, SHORT = 0x81, 0x80, 125
FRAGMENTS = 1024
PINGS = 200
PINGS_SECONDS = 2.0
# A client that has much to say is listened to in turns, so that the others are heard in between.
SLICE_BYTES = 1024
SLICES_A_TURN = 16
# What may come after our close, since it was on its way, before the client's own has to.
PARTING_BYTES = 4096
REFUSED_SECONDS = 2.0


class Parser(ServerProtocol):
    """Counts what has no size. Without compression, whatever uvicorn was told."""

    between_messages = False
    _fragments = 0
    _pings = 0
    _pings_since = 0.0

    def receive_data(self, data: bytes | bytearray) -> None:
        self.between_messages = False
        super().receive_data(data)

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            if self._is_flood():
                self._refuse(FLOODING, "too many pings")
                return
        elif frame.opcode is not Opcode.CLOSE:
            self._fragments = 0 if frame.fin else self._fragments + 1
            if self._fragments > FRAGMENTS:
                self._refuse(FRAME_TOO_LARGE, "too many fragments")
                return
        super().recv_frame(frame)
        self.between_messages = not self._fragments and not self.reader.buffer

    def fail(self, code: int, reason: str = "") -> None:
        super().fail(FRAME_TOO_LARGE if code == CloseCode.MESSAGE_TOO_BIG else code, reason)

    def _is_flood(self) -> bool:
        now = time.monotonic()
        if now - self._pings_since > PINGS_SECONDS:
            self._pings, self._pings_since = 0, now
        self._pings += 1
        return self._pings > PINGS

    def _refuse(self, code: int, reason: str) -> None:
        self.fail(code, reason)
        self.parser_exc = ProtocolError(reason)


class BoundedSocket(WebSocketsSansIOProtocol):
    """Parses no faster than its application listens. What breaks the rules is answered with a code and then with
    silence, instead of a cut line."""

    conn: Parser
    _held = False
    _deaf = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = Parser(max_size=FRAME_BYTES, logger=logging.getLogger("uvicorn.error"))
        self.queue: Inbox[ASGIReceiveEvent] = Inbox()  # type: ignore[assignment]  # asyncio's in uvicorn
        self.writable = Gate()  # type: ignore[assignment]  # the same
        self._unparsed = bytearray()
        self._parting = PARTING_BYTES

    def data_received(self, data: bytes) -> None:
        if not self._deaf and not self._take_whole(data):
            self._unparsed += data
            self._parse()

    def _take_whole(self, data: bytes) -> bool:
        """One short text and nothing else, which is nearly all that visitors say, without the parser: it takes five
        times as long. Only where nothing waits before it, neither here nor in the parser."""
        if not self.conn.between_messages or self._unparsed or self.close_sent or not self.queue.empty():
            return False
        size = len(data) - 6
        if not 0 <= size <= SHORT or data[0] != FINAL_TEXT or data[1] != MASKED + size:
            return False
        try:
            text = apply_mask(data[6:], data[2:6]).decode()
        except UnicodeDecodeError:
            return False
        self.queue.put_nowait({"type": "websocket.receive", "text": text})
        return True

    def start_keepalive(self) -> None:
        """The socket is open. Nobody asks any more what the handshake was, and it is three kilobytes."""
        super().start_keepalive()
        del self.request, self.response

    async def receive(self) -> ASGIReceiveEvent:
        """As uvicorn's, but what is here already comes before what is still on the line."""
        event = await self.queue.get()
        hungry = self.read_paused and self.queue.empty()
        if hungry:
            self.read_paused = False
        if self._deaf:
            self.transport.pause_reading()
        elif self._unparsed and not self.read_paused:
            self._hold()
            self.loop.call_soon(self._parse)
        elif hungry:
            self._let_go()
        return event

    def _parse(self) -> None:
        for _ in range(SLICES_A_TURN):
            if self.read_paused or self._deaf or not self._unparsed or self._is_parting_too_long():
                break
            part = bytes(self._unparsed[:SLICE_BYTES])
            del self._unparsed[:SLICE_BYTES]
            super().data_received(part)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._turn_away()
        if self._deaf or self.disconnected:
            self._unparsed.clear()
        elif self._unparsed:
            self._hold()
            if not self.read_paused:
                self.loop.call_soon(self._parse)
        elif self._held:
            self._let_go()

    def _is_parting_too_long(self) -> bool:
        """The application has closed, and the client goes on as if nothing were. uvicorn would read all of it, for
        nobody, until its own patience ends."""
        if not self.close_sent or self._deaf or self.disconnected:
            return False
        self._parting -= SLICE_BYTES
        if self._parting < 0:
            self._deaf = True
            self._say_last()
        return self._deaf

    def _turn_away(self) -> None:
        """A handshake that cannot be read, such as one with too large a header. uvicorn would leave it without its
        answer, and its line open for ever."""
        if not self._deaf:
            self._deaf = self.close_sent = True
            self._say_last()

    def _hold(self) -> None:
        self._held = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _let_go(self) -> None:
        self._held = False
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not is_text(b"".join(self.frames)):
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # Of those who do not read, a pong more would only wait with the rest.

    def handle_parser_exception(self) -> None:
        """Says why, and listens no more. The line stays a moment: cut at once it would take the code with it."""
        close = self.conn.close_sent
        if self._deaf or close is None:
            return
        counts.refused_frames += 1
        self._deaf = self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self._say_last()

    def _say_last(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.pause_reading()
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(REFUSED_SECONDS, self.transport.abort)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
