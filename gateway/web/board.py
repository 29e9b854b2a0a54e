"""The list of conversations, for every operator: each change is read and encoded once, many changes in one query."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from gateway.errors import NotReady
from gateway.web import rows
from gateway.web.live import Live
from gateway.web.rows import Listed

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
CHUNK = 200


class Viewer(Protocol):
    def show_conversation(self, listed: Listed) -> None:
        """Takes a conversation frame at once; an older one than it had, or a bot's that is not theirs, is dropped."""


class Board:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._viewers: set[Viewer] = set()
        self._changed: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def join(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)
        if self._unsubscribe is None:
            self._unsubscribe = self._live.engine.ring.subscribe_all(self.hear)

    def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        if not self._viewers and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def hear(self, news: dict[int, int]) -> None:
        self._changed |= news.keys()
        if self._task is None and self._viewers:
            self._task = asyncio.create_task(self._read_all())

    async def _read_all(self) -> None:
        try:
            while self._changed and self._viewers:
                pks = sorted(self._changed)[:CHUNK]
                self._changed.difference_update(pks)
                for listed in await self._live.read(rows.conversations, pks):
                    for viewer in tuple(self._viewers):
                        viewer.show_conversation(listed)
                await asyncio.sleep(GATHER_SECONDS)
        except NotReady:
            logger.debug("The gateway stops: its sockets are closed and read again elsewhere.")
        finally:
            self._task = None


_board: tuple[Live, Board] | None = None


def board_of(live: Live) -> Board:
    global _board
    if _board is None or _board[0] is not live:
        _board = live, Board(live)
    return _board[1]
