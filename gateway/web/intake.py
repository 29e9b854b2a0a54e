"""From a visitor's frames to committed rows: strictly in order, many at a time, and never more waiting than a few."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError

from gateway.errors import NotReady
from gateway.limits import Pace
from gateway.types import Inbound, Person, Receipt
from gateway.web import files, frames, rows, visitors
from gateway.web.frames import BadFrame, Button, Message
from gateway.web.live import Live
from gateway.web.rooms import Room

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

WAITING_FRAMES = 64
GROUP_FRAMES = 32
Words = Message | Button
Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Intake:
    """The words of one socket. While a group of them is committed, the next ones gather. Who is silent has no task.

    `spawn`: begins a task that ends with the socket.
    """

    def __init__(
        self, live: Live, bot: str, visitor: UUID, pace: Pace, answer: Callable[[str], None], spawn: Spawn
    ) -> None:
        self.conversation: int | None = None
        self.person = Person(str(visitor))
        self._live = live
        self._bot = bot
        self.room: Room | None = None
        self._visitor = visitor
        self._pace = pace
        self._answer = answer
        self._spawn = spawn
        self._waiting: list[Words] = []
        self._taking: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def engine(self) -> "Engine":
        return self._live.engine

    async def put(self, words: Words) -> None:
        """Waits where too much waits already: then the client is read no faster than its words are committed."""
        while len(self._waiting) >= WAITING_FRAMES:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        self._waiting.append(words)
        if self._taking is None:
            self._taking = self._spawn(self._take())

    async def _take(self) -> None:
        while self._waiting:
            await self._first_turn()
            group = self._group()
            if self._room is not None and not self._room.done():
                self._room.set_result(None)
            await self._accept(group)
        self._taking = None

    async def _first_turn(self) -> None:
        wait = self._pace.turn()
        if wait:
            await asyncio.sleep(wait)
            await self._first_turn()

    def _group(self) -> list[Words]:
        """The first has had its turn; as many more as have theirs now."""
        most = min(len(self._waiting), GROUP_FRAMES)
        size = next((size for size in range(1, most) if self._pace.turn()), most)
        group = self._waiting[:size]
        del self._waiting[:size]
        return group

    async def until_accepted(self, seconds: float | None = None) -> None:
        """What was taken in is committed, also where the visitor has closed the page right after it; or time is up."""
        if self._taking is not None:
            await asyncio.wait({self._taking}, timeout=seconds)

    async def _accept(self, group: Sequence[Words]) -> None:
        try:
            prepared = [(words, inbound) for words in group if (inbound := await self._prepared(words)) is not None]
            receipts = await self.engine.accept([inbound for _, inbound in prepared])
        except (NotReady, OperationalError, InterfaceError):
            for words in group:
                self._answer(frames.error("not_ready", "Not ready just now: send it again.", words.id))
        except DatabaseError as error:
            await self._accept_each(group, error)
        else:
            for (words, _), receipt in zip(prepared, receipts, strict=True):
                self._accepted(words, receipt)

    async def _accept_each(self, group: Sequence[Words], error: DatabaseError) -> None:
        """Something in the group cannot be stored. What of it was stored is known by its id."""
        if len(group) > 1:
            for words in group:
                await self._accept([words])
            return
        logger.error("A visitor's words could not be stored (%s).", type(error).__name__)
        self._answer(frames.error("bad_frame", "This could not be stored.", group[0].id))

    def _accepted(self, words: Words, receipt: Receipt) -> None:
        self._answer(frames.ack(words.id, receipt.seq, receipt.rev))
        if self.conversation != receipt.conversation:
            self._live.tabs.born(self.room.uuid if self.room else self._visitor, receipt.conversation)

    async def _prepared(self, words: Words) -> Inbound | None:
        """None where it cannot be, which is said."""
        try:
            inbound = await self._inbound(words)
            return inbound if self.room is None else self.room.of(inbound, self._visitor, self.person.name)
        except BadFrame as bad:
            self._answer(frames.error(bad.code, bad.detail, words.id))
            return None

    async def _inbound(self, words: Words) -> Inbound:
        if isinstance(words, Message):
            return visitors.message(words, self._bot, self.person, await self._files(words))
        label = None
        if self.conversation is not None:
            label = await self.engine.read(rows.label_of, self.conversation, words.data)
        return visitors.button(words, self._bot, self.person, label)

    async def _files(self, words: Message) -> list[dict[str, Any]]:
        if not words.files:
            return []
        found = await self.engine.read(files.claim, words.files, self._visitor, self._bot)
        if found is None:
            raise BadFrame("bad_file", "One of these files is not there, or not yours.")
        return found
