"""Makes announcements go on: a few rows at a time, never far ahead of what leaves, always behind answers.

Everything it knows is in the rows. It may die at any moment, and whoever starts next carries on.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError

from gateway import announcing
from gateway.announcement import Announcement, AnnouncementState
from gateway.errors import NotReady, Unsendable
from gateway.transcript.announcing import Cancel, Pause, WriteSlice

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# Between two slices: whoever else has words to write goes first.
BREATH_SECONDS = 0.05
AHEAD_SECONDS = 3.0
LEAST_AHEAD = 100


class Announcer:
    """`node`: gives the primary key of this process's row, None where it has none any more."""

    def __init__(self, engine: "Engine", node: Callable[[], int | None]) -> None:
        self._engine = engine
        self._node = node

    async def run(self) -> None:
        while True:
            try:
                wrote = await self._round()
            except (DatabaseError, InterfaceError, NotReady) as error:
                logger.debug("Announcements wait for the database (%s).", type(error).__name__)
                wrote = False
            await asyncio.sleep(BREATH_SECONDS if wrote else LOOK_SECONDS)

    async def _round(self) -> bool:
        node = self._node()
        if node is None:
            return False
        for stopped in await self._engine.read(announcing.astray):
            way = Pause if stopped.state == AnnouncementState.PAUSED else Cancel
            await self._engine.submit(way(stopped.pk, "somebody"))
        return any([await self._advance(one) for one in await self._engine.read(announcing.claim, node)])

    async def _advance(self, one: Announcement) -> bool:
        """Whether there may be more to do at once."""
        leaving = await self._engine.read(announcing.leaving, one.pk)
        if one.is_written:
            if not leaving:
                await self._engine.read(announcing.finish, one.pk)
            return False
        try:
            todo = [(int(bot), after) for bot, after in one.cursors.items() if after is not None]
            # Each bot goes at its own pace: one that Telegram has sent away does not keep the others.
            return any([await self._write(one, bot, after, leaving.get(bot, 0)) for bot, after in todo])
        except Unsendable as error:
            await self._engine.read(announcing.fail, one.pk, str(error))
            return False

    async def _write(self, one: Announcement, bot: int, after: int, leaving: int) -> bool:
        if leaving + announcing.SLICE_ROWS > self._most_ahead():
            return False
        rows = await self._engine.read_at_leisure(announcing.next_slice, one, bot, after, self._engine.protocols)
        await self._engine.submit(WriteSlice(one.pk, bot, after, rows))
        one.cursors = {**one.cursors, str(bot): rows.after}
        return True

    def _most_ahead(self) -> float:
        """Rows of a bot that may wait: what leaves in a few seconds."""
        rates = [server.limits("").announcements for server in self._engine.protocols.values()]
        fastest = max((rate.per_second for rate in rates if rate is not None), default=0.0)
        return max(LEAST_AHEAD, AHEAD_SECONDS * fastest)
