"""A bound on waiting for those who all wait equally long: one timer for all of them, since one each costs more than
what they wait for."""

import asyncio
from collections.abc import Iterable
from typing import Any

Futures = Iterable["asyncio.Future[Any]"]


class Timeouts:
    """Cancels what is not done in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, futures: Futures, seconds: float) -> None:
        """`seconds` are always the same: who began first is the first whose time is over."""
        due = self._loop.time() + seconds
        self._due.update(dict.fromkeys(futures, due))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._cancel_due)

    def end(self, futures: Futures) -> None:
        """Nobody waits for them any more."""
        for future in futures:
            self._due.pop(future, None)
            future.cancel()

    def _cancel_due(self) -> None:
        self._timer, now = None, self._loop.time()
        for future, due in self._due.items():
            if due > now:
                self._timer = self._loop.call_at(due, self._cancel_due)
                return
            future.cancel()
