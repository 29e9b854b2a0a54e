"""One reader of rows a conversation, a view and a process: what it reads is encoded once and handed to all sockets."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

from django.db import DatabaseError

from gateway.errors import NotReady
from gateway.web import rows
from gateway.web.rows import CHUNK, Shown
from gateway.web.tabs import Tabs

if TYPE_CHECKING:
    from gateway.engine import Engine

logger = logging.getLogger(__name__)

T = TypeVar("T")
Read = Callable[..., Awaitable[Any]]
ReadNewer = Callable[[int], list[Shown]]
FeedKey = tuple[int, str]

PAUSE_SECONDS = 1.0


class Outlet(Protocol):
    """A socket, as the readers see it."""

    def offer(self, text: str) -> None:
        """Takes a frame at once; a socket that is too slow for it ends."""

    async def put(self, text: str) -> None:
        """Takes a frame as soon as there is room."""


class Reader:
    """Somebody who follows a conversation. `last` is the highest rev they were shown."""

    def __init__(self, outlet: Outlet, last: int) -> None:
        self.outlet = outlet
        self.last = last
        self.feed: Feed | None = None

    def show(self, shown: list[Shown]) -> None:
        for rev, text in shown:
            if rev > self.last:
                self.last = rev
                self.outlet.offer(text)

    async def catch_up(self, shown: list[Shown]) -> None:
        for rev, text in shown:
            await self.outlet.put(text)
            self.last = rev


class Feed:
    """One view of one conversation. At a ring, one query reads for all readers what is newer than the lowest rev."""

    def __init__(self, key: FeedKey, read: Read, read_newer: ReadNewer) -> None:
        self.key = key
        self.unsubscribe: Callable[[], None] | None = None
        self.readers: set[Reader] = set()
        self._read = read
        self._read_newer = read_newer
        self._rung = False
        self._task: asyncio.Task[None] | None = None

    def ring(self, rev: int = 0) -> None:
        """Rings that come while a read is under way are answered by one more read."""
        self._rung = True
        if self._task is None:
            self._task = asyncio.create_task(self._read_all())

    def stop(self) -> None:
        if self.unsubscribe is not None:
            self.unsubscribe()
        if self._task is not None:
            self._task.cancel()

    async def _read_all(self) -> None:
        try:
            while self._rung and self.readers:
                self._rung = False
                shown = await self._read(self._read_newer, min(reader.last for reader in self.readers))
                self._rung = self._rung or len(shown) == CHUNK
                for reader in tuple(self.readers):
                    reader.show(shown)
        except NotReady:
            logger.debug("The gateway stops: its sockets are closed and read again elsewhere.")
        finally:
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

    async def follow_as_visitor(self, reader: Reader, conversation: int) -> None:
        """Shows what is newer than `reader.last`, then whatever is new, without a gap and nothing twice."""
        await self._follow(reader, (conversation, "public"), partial(rows.public_messages, conversation))

    async def follow_as_operator(self, reader: Reader, conversation: int, uuid: UUID) -> None:
        await self._follow(reader, (conversation, "all"), partial(rows.all_messages, conversation, str(uuid)))

    async def _follow(self, reader: Reader, key: FeedKey, read_newer: ReadNewer) -> None:
        while True:
            shown = await self.read(read_newer, reader.last)
            await reader.catch_up(shown)
            if len(shown) < CHUNK:
                break
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, self.read, read_newer)
            feed.unsubscribe = self.engine.ring.subscribe(key[0], feed.ring)
        feed.readers.add(reader)
        reader.feed = feed
        # What was committed since that last read rings nobody any more.
        feed.ring()

    def leave(self, reader: Reader) -> None:
        feed, reader.feed = reader.feed, None
        if feed is not None:
            feed.readers.discard(reader)
            if not feed.readers:
                feed.stop()
                del self._feeds[feed.key]


_live: Live | None = None


def live_of(engine: "Engine") -> Live:
    """A process has one engine at a time, and one Live for it."""
    global _live
    if _live is None or _live.engine is not engine:
        _live = Live(engine)
    return _live
