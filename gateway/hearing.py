"""What other processes have left in the rows for conversations that this one runs, read in the rows' order.

One reading at a time, for all conversations that were rung meanwhile.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError

from gateway import leaving, queries, recovery
from gateway.models import Conversation
from gateway.queries import Unsettled

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

MOST_ROWS = 1000
MOST_CONVERSATIONS = 500
RETRY_SECONDS = 0.5


class Hearing:
    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._pks: dict[int, None] = {}
        self._reading: frozenset[int] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def has_heard(self, conversation: Conversation) -> bool:
        """Whether nothing that another process wrote before this commit is still unread here."""
        if self.is_behind(conversation.pk):
            return False  # What was written here meanwhile may wait to be read as well, and comes first.
        if not conversation.handed_rev:
            return True
        lane = self._engine.lanes.known(conversation.pk)
        return lane is not None and lane.heard >= conversation.handed_rev

    def is_behind(self, conversation: int) -> bool:
        """Its rows are to be read, or being read."""
        return conversation in self._pks or conversation in self._reading

    def hear(self, pks: Iterable[int]) -> None:
        self._pks |= dict.fromkeys(pks)
        if self._pks and self._task is None:
            self._task = asyncio.create_task(self._run())

    async def look(self) -> None:
        """For rings that were lost."""
        mine = self._engine.members.mine
        waiting = await self._engine.read(queries.waiting, mine, MOST_CONVERSATIONS)
        self.hear(pk for pk in waiting if not self._is_at_work(pk))
        recovery.set_clocks(self._engine, await self._engine.read(queries.fresh_clocks, mine))

    def _is_at_work(self, pk: int) -> bool:
        lane = self._engine.lanes.known(pk)
        return lane is not None and lane.at_work

    async def _run(self) -> None:
        try:
            while self._pks:
                some = list(self._pks)[:MOST_CONVERSATIONS]
                try:
                    await self._read(some)
                except (DatabaseError, InterfaceError) as error:
                    logger.debug("Rows that others left cannot be read (%s).", type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._task = None

    async def _read(self, pks: list[int]) -> None:
        for pk in pks:  # Who is rung while this is read is read again.
            del self._pks[pk]
        self._reading = frozenset(pks)
        try:
            found = await self._engine.read(queries.left_for_owner, pks, MOST_ROWS)
            queued = await self._engine.read(leaving.answers_of, pks, MOST_ROWS)
        except BaseException:
            self._pks |= dict.fromkeys(pks)
            raise
        finally:
            self._reading = frozenset()
        for one in found:
            if (
                one.conversation.part in self._engine.members.mine
                and one.conversation.protocol in self._engine.protocols
            ):
                self._feed(one)
        for row in queued:
            if row.part in self._engine.members.mine and row.protocol in self._engine.protocols:
                self._engine.outbox.put(row)

    def _feed(self, one: Unsettled) -> None:
        conversation = one.conversation
        if conversation.deadline is not None:
            recovery.set_clocks(self._engine, [(conversation.pk, conversation.deadline)])
        lane = self._engine.lanes.known(conversation.pk)
        if lane is None and not one.rows:
            return
        lane = self._engine.lanes.get(conversation)
        if not conversation.open and not one.rows:
            lane.ended_elsewhere()
        if one.whole:
            for row in one.rows:
                lane.put_if_unknown(row)
        else:
            lane.put_all_from_rows()
        lane.heard = max(lane.heard, conversation.handed_rev)
