"""uvicorn with a bound on the time that headers may take: `uvicorn --http gateway.uvicorn_patience:PatientHttp`."""

import asyncio
import math
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.flow import ANSWER

HEADER_SECONDS = 20.0


class PatientHttp(HttpToolsProtocol):
    """uvicorn bounds how long a line may be idle, and any byte ends that: one now and then holds it for ever."""

    # Not a timer for each request, which is set for nothing: it looks what is due when it comes.
    _due = math.inf
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers(HEADER_SECONDS)
        self._look_later(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._look_no_more()  # The line is a socket's now.
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._wait_for_headers(HEADER_SECONDS)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._due = math.inf
        super().on_headers_complete()
        scope: Any = self.scope
        scope["extensions"] = {ANSWER: partial(self._answer, self.cycle)}

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._due == math.inf and not self.transport.is_closing():
            self._wait_for_headers(self.timeout_keep_alive + HEADER_SECONDS)

    def _answer(self, cycle: Any, status: int) -> bool:
        """See `flow.ANSWER`."""
        plain = cycle.keep_alive and not (self.access_log or self.flow.write_paused)
        if not plain or cycle.disconnected or cycle.response_started or cycle.scope["method"] == "HEAD":
            return False
        headers = b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)
        self.transport.write(STATUS_LINE[status] + headers + b"content-length: 0\r\n\r\n")
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()
        return True

    def _wait_for_headers(self, seconds: float) -> None:
        self._due = self.loop.time() + seconds

    def _look_later(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._look)

    def _look_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        left = self._due - self.loop.time()
        if left > 0:
            self._look_later(min(left, HEADER_SECONDS))
        elif self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_headers(HEADER_SECONDS)  # An answer is still on its way on this line.
            self._look_later(HEADER_SECONDS)
        else:
            self._timer = None
            self.transport.close()
