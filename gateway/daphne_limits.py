"""What Daphne takes in, bounded: it reads a whole body before anybody is asked, and drops the line at a huge frame."""

from typing import Any

from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor

BODY_BYTES = 1024 * 1024
LINGER_SECONDS = 10.0
FRAME_TOO_LARGE = 4009
REFUSAL = b"HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedRequest(WebRequest):
    """A body is refused as soon as it is announced, or has grown, too large. What still comes of it is dropped for a
    while, since a line that is cut at once takes the answer with it."""

    _taken = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        too_long = length is not None and length > BODY_BYTES
        super().gotLength(0 if too_long else length)
        if too_long:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._taken += len(data)
        if not self._refused and self._taken > BODY_BYTES:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self._refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def _refuse(self) -> None:
        self._refused = True
        channel: Any = self.channel
        channel.transport.write(REFUSAL)
        clock: Any = reactor
        clock.callLater(LINGER_SECONDS, channel.loseConnection)


class BoundedSocket(WebSocketProtocol):
    """A frame that is too large even for Daphne ends the socket with our code instead of a cut line."""

    def _max_message_size_exceeded(self, *_: Any) -> None:
        if not self.failedByMe:
            self.failedByMe = self.muted = True  # Nothing more of it is kept.
            self.sendClose(code=FRAME_TOO_LARGE)

    def handle_reply(self, message: dict[str, Any]) -> None:
        # Daphne takes an empty text for none.
        if message["type"] == "websocket.send" and message.get("text") == "" and not message.get("bytes"):
            self.serverSend("")
        else:
            super().handle_reply(message)


def bound(server: Any) -> None:
    """Has a running daphne.server.Server use these for new connections; its factories know no other way."""
    build = server.http_factory.buildProtocol

    def build_bounded(address: Any) -> Any:
        protocol = build(address)
        protocol.requestFactory = BoundedRequest
        return protocol

    server.http_factory.buildProtocol = build_bounded
    server.ws_factory.protocol = BoundedSocket
