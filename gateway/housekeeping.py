"""What the gateway does by itself beside its words: it counts them for the dashboard."""

import asyncio
import logging
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError

from gateway import counting
from gateway.errors import NotReady

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

COUNT_SECONDS = 15.0
# Between two slices it rests so many times as long as one took: words go first, and counting is a twentieth at most.
RESTS = 19


class Housekeeping:
    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    async def run(self) -> None:
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            try:
                await self._count()
            except (DatabaseError, InterfaceError, NotReady) as error:
                logger.debug("Housekeeping waits for the database (%s).", type(error).__name__)

    async def _count(self) -> None:
        counted = 1
        while counted:
            began = self._engine.time()
            counted = await self._engine.read_at_leisure(counting.count_on)
            await asyncio.sleep(RESTS * (self._engine.time() - began))
