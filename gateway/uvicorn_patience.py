"""uvicorn with a bound on the time that headers may take: `uvicorn --http gateway.uvicorn_patience:PatientHttp`."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 20.0


class PatientHttp(HttpToolsProtocol):
    """uvicorn bounds how long a line may be idle, and any byte ends that: one now and then holds it for ever."""

    _headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._wait_for_headers(HEADER_SECONDS)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._wait_no_longer()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._headers_due is None and not self.transport.is_closing():
            self._wait_for_headers(self.timeout_keep_alive + HEADER_SECONDS)

    def _wait_for_headers(self, seconds: float) -> None:
        self._wait_no_longer()
        self._headers_due = self.loop.call_later(seconds, self._give_up)

    def _wait_no_longer(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _give_up(self) -> None:
        self._headers_due = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_headers(HEADER_SECONDS)  # An answer is still on its way on this line.
        else:
            self.transport.close()
