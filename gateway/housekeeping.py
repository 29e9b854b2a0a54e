"""What the gateway does by itself beside its words: erases people, prunes, and counts for the dashboard."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from gateway import counting, erasing
from gateway.erasing import Steps
from gateway.errors import NotReady
from gateway.transcript.erasing import EraseConversation
from gateway.writer import Operation

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

ERASE_SECONDS = 1.0
COUNT_SECONDS = 15.0
PRUNE_SECONDS = 60.0
"""How often it asks whether a day has gone by."""
# Between two slices it rests so many times as long as one took: words go first, and counting is a twentieth at most.
RESTS = 19


class Housekeeping:
    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    async def run(self) -> None:
        jobs = ((self.erase, ERASE_SECONDS), (self.count, COUNT_SECONDS), (self.prune, PRUNE_SECONDS))
        await asyncio.gather(*(self._for_ever(job, seconds) for job, seconds in jobs))

    async def _for_ever(self, job: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                if self._engine.members.leads("", "housekeeping"):
                    await job()
            except (DatabaseError, InterfaceError, NotReady) as error:
                logger.debug("Housekeeping waits for the database (%s).", type(error).__name__)
            except Exception:
                logger.exception("Housekeeping could not be done; it is tried again.")

    async def count(self) -> None:
        counted = 1
        while counted:
            began = self._engine.time()
            counted = await self._engine.read_at_leisure(counting.count_on)
            await asyncio.sleep(RESTS * (self._engine.time() - began))

    async def prune(self) -> None:
        now = timezone.now()
        if await self._engine.read(erasing.may_prune, now):
            found = await self._make(erasing.pruning(now))
            logger.info("Pruned %d rows and %d conversations.", found["rows"], found["conversations"])

    async def erase(self) -> None:
        """What is held of the person in memory goes first: nothing here must write it down once more."""
        for erasure in await self._engine.read(erasing.waiting):
            for conversation in await self._engine.read(erasing.conversations, erasure):
                self._drop(conversation)
            found = await self._make(erasing.erasing(erasure))
            await self._engine.read(erasing.finish, erasure, found)
            logger.info("Erasure %d: %d conversations, %d rows.", erasure.pk, found["conversations"], found["rows"])

    def _drop(self, conversation: int) -> None:
        lane = self._engine.lanes.known(conversation)
        self._engine.deadlines.clear(conversation)
        if lane is not None:
            lane.dispose()
            self._engine.lanes.forget_idle(lane)

    async def _make(self, steps: Steps) -> dict[str, int]:
        """Each step in its turn among everybody's words; between them the generator reads, on a reader's thread."""
        operation, found = await self._engine.read_at_leisure(_next, steps, None)
        while operation is not None:
            result = await self._engine.submit(operation)
            if isinstance(operation, EraseConversation):
                self._drop(operation.conversation)
            operation, found = await self._engine.read_at_leisure(_next, steps, result)
        return found


def _next(steps: Steps, result: Any) -> tuple[Operation[Any] | None, dict[str, int]]:
    """The next step, or None and what was found in all."""
    try:
        return steps.send(result), {}
    except StopIteration as end:
        return None, end.value
