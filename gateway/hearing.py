"""What other processes have left in the rows for conversations that this one runs, taken in the rows' order.

The writer finds it, between what it has committed before and what it commits afterwards, so that nothing of this
process can come in between. It is asked once at a time, for all conversations that were rung meanwhile.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from gateway import queries, recovery
from gateway.errors import NotReady
from gateway.leaving import Home
from gateway.models import Conversation, Status
from gateway.transcript import Hear, Left
from gateway.transcript.feeding import in_row
from gateway.transcript.saying import out_row

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

MOST_CONVERSATIONS = 500
KEPT_MARKS = 20_000
RETRY_SECONDS = 0.5


class Hearing:
    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._pks: dict[int, None] = {}
        self._asked: frozenset[int] = frozenset()
        self._marks: OrderedDict[int, int] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def mark(self, conversation: int) -> int:
        """The newest mark of another process (`handed_rev`) whose row is known here."""
        return self._marks.get(conversation, 0)

    def has_heard(self, conversation: Conversation) -> bool:
        """Whether nothing that another process wrote before this commit is still unknown here."""
        if self.is_behind(conversation.pk):
            return False  # What was written here meanwhile may wait to be found as well, and comes first.
        return self.mark(conversation.pk) >= conversation.handed_rev

    def is_behind(self, conversation: int) -> bool:
        """What waits in it is to be found."""
        return conversation in self._pks or conversation in self._asked

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
                    await self._ask(some)
                except NotReady:
                    return  # The process stops: the next one finds it.
                except (DatabaseError, InterfaceError) as error:
                    logger.debug("Rows that others left cannot be read (%s).", type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._task = None

    async def _ask(self, pks: list[int]) -> None:
        for pk in pks:  # Who is rung meanwhile is asked about again.
            del self._pks[pk]
        self._asked = frozenset(pks)
        try:
            await self._engine.submit(Hear(self._asked, self._free()))
        except BaseException:
            self._pks |= dict.fromkeys(pks)
            raise
        finally:
            self._asked = frozenset()

    def _free(self) -> frozenset[int]:
        """Those that have nothing before what is found."""
        over = self._engine.quarantine.is_over
        return frozenset(pk for pk in self._asked if over and not self._is_at_work(pk))

    # What was found, told before all else that its transaction has written

    def found(self, found: Iterable[Left]) -> None:
        self._asked = frozenset()
        for left in found:
            if self._goes_on_here(left.conversation):
                self._feed(left)
            else:
                for row in left.inbound:
                    self._engine.let_go(left.conversation, row)

    def _goes_on_here(self, conversation: Conversation) -> bool:
        return conversation.part in self._engine.members.mine and conversation.protocol in self._engine.protocols

    def _feed(self, left: Left) -> None:
        conversation = left.conversation
        if conversation.deadline is not None:
            recovery.set_clocks(self._engine, [(conversation.pk, conversation.deadline)])
        self._note(conversation)
        if not left.whole:
            self._engine.outbox.adopt([home(conversation)])
            self._engine.lanes.get(conversation).put_all_from_rows()
            return
        for row in left.outbound:
            self._engine.outbox.put(out_row(conversation, row, timezone.now()))
        lane = self._engine.lanes.known(conversation.pk)
        if lane is None and not left.inbound:
            return
        lane = self._engine.lanes.get(conversation)
        if not conversation.open and not left.inbound:
            lane.ended_elsewhere()
        for row in left.inbound:
            if row.status == Status.RECEIVED or row.begun is not None:
                lane.put_if_unknown(in_row(row))

    def _note(self, conversation: Conversation) -> None:
        self._marks[conversation.pk] = max(self.mark(conversation.pk), conversation.handed_rev)
        self._marks.move_to_end(conversation.pk)
        if len(self._marks) > KEPT_MARKS:
            self._marks.popitem(last=False)


def home(conversation: Conversation) -> Home:
    """Whoever has more to say than is read at once says it from the table."""
    address = conversation.address
    return Home(conversation.pk, conversation.protocol, conversation.bot.name, conversation.part, address)
