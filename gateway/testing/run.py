"""One gateway inside a test: started, restarted, killed, and its clock moved."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from channels.routing import ProtocolTypeRouter
from django.db.models import F

from gateway.engine import Engine
from gateway.models import UNSETTLED, Conversation, Direction, Message, Status
from gateway.protocols import find_protocols
from gateway.testing.outside import without_wire
from gateway.types import Application

T = TypeVar("T")

LOOK_SECONDS = 0.01


class Run:
    """The engine over one application: a bot's, or a whole map's. `patience`: the most seconds that anything takes."""

    def __init__(self, application: Application, *, timeout: float | None = None, patience: float = 5.0) -> None:
        self.application = whole_map(application)
        self.patience = patience
        self._timeout = timeout
        self._moved = 0.0
        self._engine: Engine | None = None
        self._outsides = [without_wire(real) for real in find_protocols()]

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("No gateway runs here: enter the chat with 'async with' first.")
        return self._engine

    def is_immediate(self, protocol: str) -> bool:
        """Whether people come to the gateway itself for their words. Raises LookupError for no such protocol."""
        for outside in self._outsides:
            if outside.scope_type == protocol:
                return outside.immediate
        raise LookupError(f"No protocol is named {protocol!r}: {', '.join(o.scope_type for o in self._outsides)}.")

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        engine = Engine(self.application, self._outsides)
        now = engine.time
        engine.time = lambda: now() + self._moved
        engine.timeout = self._timeout or engine.timeout
        await engine.start()
        self._engine = engine

    async def _stop(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.stop()

    async def restart(self, *, killed: bool = False) -> None:
        """The process ends and the next one begins, over the same rows.

        `killed`: at once. What is in hand is never settled; the next process feeds it again, marked redelivered.
        """
        if killed:
            await self._kill()
        else:
            await self.quiet()
        await self._stop()
        await self._start()

    async def _kill(self) -> None:
        self.engine.draining = True
        for lane in self.engine.lanes.all():
            await lane.abandon()

    async def silence(self, seconds: float | None = None) -> None:
        """Nobody says anything for so long; without `seconds`, for long enough to end the scopes."""
        await self.quiet()
        engine, seconds = self.engine, seconds or self.engine.timeout + 1.0
        # The rows have deadlines too, which count after a restart.
        await engine.read(bring_forward, seconds)
        self._moved += seconds
        for pk in engine.deadlines.pop_due(engine.time()):
            await engine.end_idle(pk)
        await self.quiet()

    async def quiet(self) -> None:
        """Returns once every event is settled, and everything said is out."""

        async def settled() -> bool:
            await self.engine.writer.written()
            busy = await self.engine.read(is_busy)
            return not busy and all(lane.in_hand is None for lane in self.engine.lanes.all())

        if not await self.until(settled):
            raise AssertionError(f"after {self.patience:g} s something is still in hand or on its way out")

    async def until(self, look: Callable[[], Awaitable[T]]) -> T:
        """What `look` gives, once it is true; what it gave last, where patience ends before."""
        deadline = time.monotonic() + self.patience
        while not (found := await look()) and time.monotonic() < deadline:  # noqa: ASYNC110  # rows tell nobody
            await asyncio.sleep(LOOK_SECONDS)
        return found


def whole_map(application: Any) -> Application:
    """A bot by itself answers on every protocol."""
    if hasattr(application, "application_mapping"):
        mapped: Application = application
        return mapped
    routes: Application = ProtocolTypeRouter({real.scope_type: application for real in find_protocols()})
    return routes


def bring_forward(seconds: float) -> None:
    clocks = Conversation.objects.filter(deadline__isnull=False)
    clocks.update(deadline=F("deadline") - timedelta(seconds=seconds))


def is_busy() -> bool:
    waiting = Message.objects.filter(direction=Direction.IN, status__in=UNSETTLED)
    leaving = Message.objects.filter(direction=Direction.OUT, status__in=(Status.QUEUED, Status.SENDING))
    return (waiting | leaving).exists()
