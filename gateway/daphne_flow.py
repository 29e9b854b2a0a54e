"""Flow control that Daphne has not: what is on its way to a client, and what has come from one, is bounded."""

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.flow import CUT_SECONDS, LOOK_SECONDS, SLOW_SECONDS, Patience, kernel_holds, report_slow
from gateway.types import Event
from gateway.waiting import Inbox

HELD_EVENTS = 16
HELD_BYTES = 128 * 1024


def unsent(transport: Any) -> int:
    """Bytes that a Twisted transport has not given to the kernel yet."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)


class Outflow:
    """What a client has yet to take, as the producer of its transport, which says when too much waits.

    A client that takes nothing is told by `give_up`, and its line is cut a little later. `written` counts what was
    handed to the transport while somebody waits.
    """

    def __init__(self, transport: Any, written: Callable[[], int], give_up: Callable[[], None]) -> None:
        self.paused = False
        self._transport = transport
        self._written = written
        self._give_up = give_up
        self._told = False
        self._patience: Patience | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def taken(self) -> int:
        """Bytes, counted from some start, that the client's machine has confirmed."""
        return self._written() - unsent(self._transport) - kernel_holds(self._transport.socket)

    def backlog(self) -> int:
        return unsent(self._transport) + kernel_holds(self._transport.socket)

    async def drained(self) -> None:
        """Returns once there is room again, or nobody is left to read."""
        if self.paused:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def watch(self) -> None:
        """Looks after what is still unsent, until it has left or its reader is given up."""
        if self._patience is None and self._transport.connected and unsent(self._transport):
            self._patience = Patience(self.taken)
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self._patience is None or not self._transport.connected or not unsent(self._transport):
            self.resumeProducing()
            return
        stalled = self._patience.look()
        if stalled >= CUT_SECONDS:
            self._tell()
            self._transport.abortConnection()
            return
        if stalled >= SLOW_SECONDS:
            self._tell()
        asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            report_slow()
            self._give_up()

    # As Twisted calls it

    def pauseProducing(self) -> None:
        self.paused = True
        self.watch()

    def resumeProducing(self) -> None:
        self.paused, self._patience = False, None
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def stopProducing(self) -> None:
        self.resumeProducing()
        # Whoever is told holds this: neither would be free of the other before garbage is looked for.
        self._written, self._give_up = _nothing_written, _nobody_told


class Inflow(Inbox[Event]):
    """What a client has sent and the application has not taken. `hold` is called when that is enough for now, and
    `let_go` when there is room again."""

    def __init__(self, hold: Callable[[], None], let_go: Callable[[], None]) -> None:
        super().__init__()
        self._bytes = 0
        self._full = False
        self._hold = hold
        self._let_go = let_go

    def put_nowait(self, event: Event) -> None:
        super().put_nowait(event)
        self._bytes += size_of(event)
        if not self._full and (len(self._items) >= HELD_EVENTS or self._bytes >= HELD_BYTES):
            self._full = True
            self._hold()

    async def get(self) -> Event:
        event = await super().get()
        self._bytes -= size_of(event)
        if self._full and len(self._items) <= HELD_EVENTS // 4 and self._bytes <= HELD_BYTES // 2:
            self._full = False
            self._let_go()
        return event

    def end(self) -> None:
        """No more will come, and nobody is to be held."""
        self._hold = self._let_go = _nobody_told


def _nothing_written() -> int:
    return 0


def _nobody_told() -> None:
    """The line has ended."""


def size_of(event: Event) -> int:
    return len(event.get("text") or event.get("bytes") or "")
