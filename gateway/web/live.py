"""One feed a conversation, a view and a process: what is new is encoded once and handed to all sockets.

What this process commits is handed over by the ring. The database is asked where something is missing: what was there
before a socket came, and what other processes have written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

from django.db import DatabaseError

from gateway.errors import NotReady
from gateway.transcript import Written
from gateway.web.rows import CHUNK, OperatorsView, Shown, View, VisitorsView
from gateway.web.tabs import Tabs

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

T = TypeVar("T")
Read = Callable[..., Awaitable[Any]]
FeedKey = tuple[int, str]

PAUSE_SECONDS = 1.0
KEPT_WRITTEN = 64


class Outlet(Protocol):
    """A socket, as the readers see it. `tag` is its own."""

    tag: str

    def offer(self, text: str) -> None:
        """Takes a frame at once; a socket that is too slow for it ends."""

    def offer_lightly(self, text: str) -> None:
        """Takes a frame that nobody misses."""

    async def put(self, text: str) -> None:
        """Takes a frame as soon as there is room."""


class Reader:
    """Somebody who follows a conversation. `last` is the highest rev they were shown, `place` its UUID, for hints;
    `owner`: in a room, whose words are their own."""

    def __init__(self, outlet: Outlet, last: int, place: str = "") -> None:
        self.outlet = outlet
        self.place = place
        self.last = last
        self.owner = ""
        self.feed: Feed | None = None

    async def catch_up(self, shown: list[Shown]) -> None:
        for one in shown:
            await self.outlet.put(one.for_(self.owner))
            self.last = one.rev


class Feed:
    """One view of one conversation. `heard` is the highest rev that it was told of, and `known` the one up to which all
    who listen were shown everything. Who has joined listens once they have caught up."""

    def __init__(self, key: FeedKey, read: Read, view: View) -> None:
        self.key = key
        self.view = view
        self.heard = self.known = 0
        self.unsubscribe: Callable[[], None] | None = None
        self.joined: set[Reader] = set()
        self._listening: set[Reader] = set()
        self._read = read
        self._written: list[Written] = []  # Of every open conversation: an empty deque takes ten times the room.
        self._task: asyncio.Task[None] | None = None

    def hear(self, rev: int, written: Written | None) -> None:
        self.heard = max(self.heard, rev)
        if written is not None and not (self._task is None and self._show_written(written)):
            self._written.append(written)
            del self._written[:-KEPT_WRITTEN]
        self._catch_up()

    def listen(self, reader: Reader, known: int) -> None:
        """The reader was shown everything up to that rev."""
        self.known = min(self.known, known) if self._listening else known
        self._listening.add(reader)
        self._catch_up()

    def leave(self, reader: Reader) -> None:
        self.joined.discard(reader)
        self._listening.discard(reader)

    def stop(self) -> None:
        if self.unsubscribe is not None:
            self.unsubscribe()
            self.unsubscribe = None  # It holds this feed.
        if self._task is not None:
            self._task.cancel()

    def _show(self, shown: list[Shown], known: int) -> None:
        self.known = max(self.known, known)
        listening = tuple(self._listening)
        for one in shown:
            rev, text, own = one
            for reader in listening:
                if rev > reader.last:
                    reader.last = rev
                    reader.outlet.offer(text if own is None else one.for_(reader.owner))

    def _show_written(self, written: Written) -> bool:
        """Whether nothing lies between what is known and that."""
        if written.before > self.known:
            return False
        if written.rev > self.known:
            shown = self.view.of(written)
            if shown is None:
                return False
            self._show(shown, written.rev)
        return True

    def _catch_up(self) -> None:
        if self._task is None and self._listening and self.heard > self.known:
            self._task = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        try:
            while self._listening and self.heard > self.known:
                heard = self.heard
                shown = await self._read(self.view.newer, self.known)
                self.view.forget()
                # Rings that come while a read is under way are answered by what they bring, or by one more read.
                self._show(shown, shown[-1].rev if len(shown) == CHUNK else heard)
                while self._written and self._show_written(self._written[0]):
                    del self._written[0]
        except NotReady:
            logger.debug("The gateway stops: its sockets are closed and read again elsewhere.")
        finally:
            self._written.clear()
            self._task = None


class Live:
    """The feeds and tabs of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.tabs = Tabs()
        self._feeds: dict[FeedKey, Feed] = {}

    async def read(self, function: Callable[..., T], *args: Any) -> T:
        """Reads rows; where the database is away, as soon as it is back."""
        while True:
            try:
                return await self.engine.read(function, *args)
            except DatabaseError as error:
                logger.warning("The rows cannot be read (%s); trying again.", type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)

    async def follow_as_visitor(self, reader: Reader, conversation: int, at: int = 0) -> None:
        """Shows what is newer than `reader.last`, then whatever is new, without a gap and nothing twice.

        `at`: a rev that the conversation had before this call.
        """
        await self._follow(reader, (conversation, "public"), VisitorsView(conversation), at)

    async def follow_as_operator(self, reader: Reader, conversation: int, uuid: UUID, at: int = 0) -> None:
        await self._follow(reader, (conversation, "all"), OperatorsView(conversation, str(uuid)), at)

    async def _follow(self, reader: Reader, key: FeedKey, view: View, at: int) -> None:
        # Joined first: what is committed from now on is heard, and what was before is read.
        reader.feed = feed = self._join(reader, key, view)
        while True:
            heard = max(at, feed.heard)
            shown = await self.read(feed.view.newer, reader.last)
            await reader.catch_up(shown)
            if len(shown) < CHUNK:
                break
        feed.listen(reader, max(heard, reader.last))

    def _join(self, reader: Reader, key: FeedKey, view: View) -> Feed:
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, self.read, view)
            feed.unsubscribe = self.engine.ring.subscribe(key[0], feed.hear)
        feed.joined.add(reader)
        return feed

    def readers(self, conversation: int, view: str) -> "set[Reader]":
        """Who follows it as "public" or "all" just now."""
        feed = self._feeds.get((conversation, view))
        return set() if feed is None else set(feed.joined)

    def leave(self, reader: Reader) -> None:
        feed, reader.feed = reader.feed, None
        if feed is not None:
            feed.leave(reader)
            if not feed.joined:
                feed.stop()
                del self._feeds[feed.key]


_live: Live | None = None


def live_of(engine: "Engine") -> Live:
    """A process has one engine at a time, and one Live for it."""
    global _live
    if _live is None or _live.engine is not engine:
        _live = Live(engine)
    return _live
