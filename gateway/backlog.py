"""What waits to leave: the table is the queue, and of what it holds a bounded part is here, in lanes.

A lane is one chat's answers, or its announcements. What finds no room stays in the table until there is some; nothing
overtakes inside a lane, wherever it waits.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import DatabaseError
from msgspec import Struct, field

from gateway import leaving
from gateway.errors import NotReady
from gateway.leaving import Home, Leaving
from gateway.models import Status
from gateway.transcript import Mark, OutRow

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

LONGEST_LANE = 100
MOST_ANSWERS = 5000
MOST_ANNOUNCEMENTS = 500
"""Rows of a bot that are held here."""
OVERLAP_ROWS = 1000
LOOKED_AT_ROWS = 2000


class Stream(Struct, eq=False):
    """A bot's answers, or its announcements. `held` of at most `most` are here; what is newer than `last` and `left` is
    in the table. `missed`: some of it came while the table was read."""

    protocol: str
    bot: str
    announcement: bool
    left: bool
    most: int
    held: int = 0
    last: int = 0
    missed: bool = False
    filling: bool = False

    @property
    def about(self) -> dict[str, str]:
        """For the log."""
        return {"protocol": self.protocol, "bot": self.bot}

    @property
    def room(self) -> int:
        return self.most - self.held

    @contextmanager
    def reserved(self, room: int) -> Iterator[None]:
        """While it is not known yet what fills it."""
        self.held += room
        try:
            yield
        finally:
            self.held -= room


class Lane(Struct, eq=False):
    """What goes to one chat. `conversations` had rows here; of what they have to say, some is `left` in the table.
    `leaving`: another process delivers the rest. `begun`: somebody has it in hand. `ending`: the writer has the end of
    its first row. `marking`: after which its rows in the table can be found."""

    stream: Stream
    key: str
    part: int
    rows: list[int] = field(default_factory=list)
    conversations: set[int] = field(default_factory=set)
    left: bool = False
    missed: bool = False
    leaving: bool = False
    begun: bool = False
    ending: bool = False
    marking: "asyncio.Future[bool] | None" = None

    @property
    def is_over(self) -> bool:
        """The writer gets what is submitted from now on behind the end of all that it has."""
        return self.ending and len(self.rows) == 1 and not (self.left or self.leaving)


class Backlog:
    """`begin(lane)` is called for each new lane once there is something in it. It lasts until `forget`. `rows`: what is
    held here."""

    def __init__(self, engine: "Engine", begin: Callable[[Lane], None]) -> None:
        self._engine = engine
        self._begin = begin
        self.rows: dict[int, OutRow] = {}
        self._streams: dict[tuple[str, str, bool], Stream] = {}
        self._lanes: dict[tuple[str, str, bool, str], Lane] = {}
        self._homes: dict[tuple[int, bool], Lane] = {}
        self._fills: set[asyncio.Task[None]] = set()
        self._loaded = self._closed = False
        self._newest = self._round = 0

    @property
    def _mine(self) -> frozenset[int]:
        return self._engine.members.mine

    def close(self) -> None:
        """What is not held here yet stays in the rows, for the next process."""
        self._closed = True
        for task in self._fills:
            task.cancel()

    def is_free(self, protocol: str, bot: str, conversation: int, key: str) -> bool:
        """Nothing of that conversation or for that chat waits to leave, as an answer, here or in the table."""
        stream = self._streams.get((protocol, bot, False))
        if not self._loaded if stream is None else stream.left or stream.held >= stream.most:
            return False
        home, lane = self._homes.get((conversation, False)), self._lanes.get((protocol, bot, False, key))
        return (home is None or home.is_over) and (lane is None or lane is home or lane.is_over)

    def is_last(self, row: OutRow) -> bool:
        """Nothing waits behind it in its lane, here or in the table."""
        lane = self._homes.get((row.conversation, row.announcement))
        return lane is not None and len(lane.rows) == 1 and not lane.left

    def behind(self, row: OutRow) -> OutRow | None:
        """The next one of its lane, if it is here."""
        lane = self._homes.get((row.conversation, row.announcement))
        return self.rows.get(lane.rows[1]) if lane is not None and len(lane.rows) > 1 and not lane.leaving else None

    def put(self, row: OutRow) -> None:
        """Takes a committed row. The same row again: its newest words count."""
        self._put(row)
        if row.pk not in self.rows:
            self._wait_for(row, self._let_go(row))

    def _let_go(self, row: OutRow) -> "asyncio.Future[bool] | None":
        """It stays in the table, where only what is queued is looked for. Gives what marks it so, where it is not."""
        if not row.marked:
            return None
        row.marked = False
        with contextlib.suppress(NotReady):  # Else the next process takes it for one whose call was under way.
            return self._engine.submit_later(Mark(row, Status.QUEUED))
        return None

    def _wait_for(self, row: OutRow, marking: "asyncio.Future[bool] | None") -> None:
        """Whoever reads the table before that does not find the row, and what is newer must not leave before it."""
        if marking is not None and row.part in self._mine and not self._closed:
            lane = self._home(self._stream(row.protocol, row.bot, announcement=row.announcement), row)
            lane.left, lane.marking = True, marking
            self._begin_with(lane)

    def _put(self, row: OutRow) -> None:
        if self._closed:
            return  # For the next process.
        self._newest = max(self._newest, row.pk)
        if row.pk in self.rows:
            self.rows[row.pk] = row
            return
        stream = self._stream(row.protocol, row.bot, announcement=row.announcement)
        if row.pk > stream.last and (stream.left or stream.held >= stream.most):
            stream.left = stream.missed = True
            return
        stream.last = max(stream.last, row.pk)
        self._take(stream, row)

    def _stream(self, protocol: str, bot: str, *, announcement: bool) -> Stream:
        key = protocol, bot, announcement
        stream = self._streams.get(key)
        if stream is None:
            most = MOST_ANNOUNCEMENTS if announcement else MOST_ANSWERS
            # Until the table was read it may hold what is older.
            stream = self._streams[key] = Stream(protocol, bot, announcement, not self._loaded, most)
        return stream

    def _take(self, stream: Stream, row: OutRow) -> None:
        """Behind all that its lane has; where the lane is full, or has left something in the table, it stays there."""
        if row.pk in self.rows or row.part not in self._mine:  # It may have gone to another process while it was read.
            return
        lane = self._home(stream, row)
        # One that does not move must not take the room of all others.
        if lane.left or (lane.rows and len(lane.rows) >= max(1, min(LONGEST_LANE, stream.room // 10))):
            lane.left = lane.missed = True
        else:
            self._append(lane, row)
        self._begin_with(lane)

    def _append(self, lane: Lane, row: OutRow) -> None:
        self.rows[row.pk] = row
        lane.rows.append(row.pk)
        lane.stream.held += 1

    def adopt(self, homes: Iterable[Home]) -> None:
        """Conversations whose answers in the table were another process's: they are read before any new one leaves."""
        for home in homes:
            if home.protocol in self._engine.protocols and not self._closed:
                stream = self._stream(home.protocol, home.bot, announcement=False)
                lane = self._home(stream, home)
                lane.left = lane.missed = True
                self._begin_with(lane)

    def stay(self, parts: frozenset[int]) -> None:
        """They stay with this process after all: what comes goes on in the lanes whose last call is still under way."""
        for lane in self._lanes.values():
            if lane.part in parts:
                lane.leaving = False

    def lanes(self) -> list[Lane]:
        return list(self._lanes.values())

    def _home(self, stream: Stream, row: OutRow | Home) -> Lane:
        """The lane that has its conversation's rows already, wherever its chat may have moved; else its chat's."""
        lane = self._homes.get((row.conversation, stream.announcement))
        if lane is None:
            key = self._engine.protocols[row.protocol].lane(row.address)
            lane = self._lane(stream, key, row.part)
            lane.conversations.add(row.conversation)
            self._homes[row.conversation, stream.announcement] = lane
        return lane

    def _lane(self, stream: Stream, key: str, part: int) -> Lane:
        place = stream.protocol, stream.bot, stream.announcement, key
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = Lane(stream, key, part)
        return lane

    def _begin_with(self, lane: Lane) -> None:
        if not lane.begun:
            lane.begun = True
            self._begin(lane)

    def forget(self, lane: Lane) -> None:
        del self._lanes[lane.stream.protocol, lane.stream.bot, lane.stream.announcement, lane.key]
        for conversation in lane.conversations:
            del self._homes[conversation, lane.stream.announcement]
        if lane.rows:
            self.put_back(lane)

    def put_back(self, lane: Lane) -> None:
        for pk in lane.rows:
            row = self.rows.pop(pk, None)
            if row is not None:
                self._let_go(row)
        lane.stream.held -= len(lane.rows)
        lane.rows.clear()

    def done(self, lane: Lane) -> None:
        stream = lane.stream
        self.rows.pop(lane.rows.pop(0), None)
        stream.held -= 1
        if stream.left and not stream.filling and stream.held <= (stream.held + stream.room) // 2:
            task = asyncio.create_task(self._fill(stream))
            self._fills.add(task)
            task.add_done_callback(self._fills.discard)

    # What is in the table

    async def load(self) -> None:
        """Takes what is queued, oldest first: nothing that is said from now on may overtake it."""
        for protocol, bot, announcement in await self._engine.read_at_leisure(leaving.streams, self._mine):
            if protocol in self._engine.protocols:
                stream = self._stream(protocol, bot, announcement=announcement)
                while stream.left and stream.room > 0:
                    await self._read_on(stream, self._engine.read_at_leisure)
        self._loaded = True

    async def look(self) -> None:
        """Finds what others have queued (a command in a process of its own), new rows and old ones."""
        began = self._round
        found = await self._engine.read(leaving.queued, began, LOOKED_AT_ROWS, self._mine)
        self._round = found[-1].row if len(found) == LOOKED_AT_ROWS else 0
        if began or self._round:
            # Two processes may commit in another order than that of their keys: look back a little.
            since = self._newest - OVERLAP_ROWS
            found += await self._engine.read(leaving.queued, since, LOOKED_AT_ROWS, self._mine)
        await self._take_strays(found)
        for stream in tuple(self._streams.values()):
            await self._fill(stream)

    async def _take_strays(self, found: Iterable[Leaving]) -> None:
        strays: set[int] = set()
        for seen in found:
            if seen.row in self.rows or seen.protocol not in self._engine.protocols:
                continue
            self._newest = max(self._newest, seen.row)
            stream = self._stream(seen.protocol, seen.bot, announcement=seen.announcement)
            home = self._homes.get((seen.conversation, seen.announcement))
            if seen.row > stream.last:
                stream.left = stream.missed = True
            elif stream.room > 0 and not (home is not None and home.left):
                strays.add(seen.row)
        for row in await self._engine.read(leaving.rows, strays) if strays else ():
            self.put(row)

    async def _fill(self, stream: Stream) -> None:
        """Reads on from where the table was left, while there is room."""
        if stream.filling:
            return
        stream.filling = True
        try:
            while stream.left and stream.room > 0 and not self._closed:
                await self._read_on(stream, self._engine.read)
        except (DatabaseError, NotReady) as error:
            logger.debug("The queue cannot be read on (%s): the next look does it.", type(error).__name__)
        finally:
            stream.filling = False

    async def _read_on(self, stream: Stream, read: Callable[..., Awaitable[list[OutRow]]]) -> None:
        stream.missed, room = False, min(stream.room, MOST_ANNOUNCEMENTS)
        key = stream.protocol, stream.bot, stream.announcement
        with stream.reserved(room):
            rows = await read(leaving.of_stream, key, stream.last, room, self._mine)
        for row in rows:
            self._newest = max(self._newest, row.pk)
            stream.last = max(stream.last, row.pk)
            self._take(stream, row)
        stream.left = stream.missed or len(rows) == room

    async def reload(self, lane: Lane) -> None:
        while (marking := lane.marking) is not None:
            await asyncio.wait([marking])
            lane.marking = None if lane.marking is marking else lane.marking
        lane.missed, room = False, max(min(lane.stream.room, LONGEST_LANE), 1)
        announcement = lane.stream.announcement
        with lane.stream.reserved(room):
            rows = await self._engine.read(leaving.of_conversations, tuple(lane.conversations), announcement, room)
        for row in rows:
            if row.pk not in self.rows:
                self._append(lane, row)
        lane.left = lane.missed or lane.marking is not None or len(rows) == room
