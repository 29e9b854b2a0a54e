"""The server's side of ASGI's lifespan, for servers that have none of their own. Knows no server."""

import asyncio
import logging
from typing import Any

from gateway.lifespan import Lifespan
from gateway.types import Application, Event, Scope

logger = logging.getLogger(__name__)


class StartFailed(Exception):
    """The application could not start. The text says why, in plain words."""


class LifespanPlayer:
    """Plays startup and shutdown towards an application. Both are called from the loop, once, in this order."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.events: asyncio.Queue[Event]
        self.answers: asyncio.Queue[Event]
        self.asked = False
        self.running: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Returns when the application is ready. Raises StartFailed."""
        answer = await self.begin(self.application)
        if answer is None and not self.asked:
            logger.warning("The application has no lifespan of its own (%s); the gateway's is used.", self.reason())
            answer = await self.begin(Lifespan())
        if answer is None:
            raise StartFailed(f"The application did not start: {self.reason()}")
        if answer["type"] != "lifespan.startup.complete":
            raise StartFailed(answer.get("message") or "The application did not start and gave no reason.")

    async def stop(self, seconds: float) -> str:
        """Returns when the application has shut down, or after `seconds`. Never raises for what went wrong there.

        Gives the application's own words about why it had to end, "" where it did so because it was told.
        """
        if self.running is None or self.running.done():
            return ""
        try:
            answer = await asyncio.wait_for(self.ask(self.running, "lifespan.shutdown"), seconds)
        except TimeoutError:
            logger.error("The application was still shutting down after %g s; it is left behind.", seconds)
            return ""
        if answer is None:
            logger.error("The application failed while shutting down: %s", self.reason())
        elif answer["type"] != "lifespan.shutdown.complete":
            return str(answer.get("message") or "The application failed while shutting down and gave no reason.")
        return ""

    async def begin(self, application: Application) -> Event | None:
        self.events, self.answers = asyncio.Queue(), asyncio.Queue()
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self.running = asyncio.ensure_future(application(scope, self.receive, self.answers.put))
        return await self.ask(self.running, "lifespan.startup")

    async def ask(self, running: asyncio.Future[None], stage: str) -> Event | None:
        """The application's answer to a stage; None where it ended without one."""
        self.events.put_nowait({"type": stage})
        answer = asyncio.ensure_future(self.answers.get())
        either: list[asyncio.Future[Any]] = [answer, running]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            answer.cancel()

    async def receive(self) -> Event:
        # An application that fails before it asks for anything has no lifespan; one that fails later has a fault.
        self.asked = True
        return await self.events.get()

    def reason(self) -> str:
        if self.running is None or self.running.cancelled():
            return "it was cancelled"
        failure = self.running.exception()
        return f"{type(failure).__name__}: {failure}" if failure else "it ended without an answer"
