"""What was in hand when the process died, more than once: one of these events may kill whoever feeds it.

Nobody can tell which from a death that several of them shared. So at their third feeding they go one by one, before
anything else is fed: whatever is in hand alone at a third death is the one, and nobody dies with it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from gateway.transcript import InRow

logger = logging.getLogger(__name__)

SUSPECT_FEEDINGS = 2
"""An event that died with its process so often is fed alone."""
MOST_FEEDINGS = 3
MOST_IN_COMPANY = 6
"""One that takes its time to kill may do so when others are in hand again. They are not blamed for it; it ends here."""
LONGEST_SECONDS = 10.0
"""For how long all others wait. The suspects that are left then are still fed one by one."""


def _once(call: Callable[[], None]) -> Callable[[], None]:
    calls = [call]

    def once() -> None:
        if calls:
            calls.pop()()

    return once


class Quarantine:
    def __init__(self) -> None:
        self._suspects: set[int] = set()
        self._condemned: set[int] = set()
        self._turn = asyncio.Lock()
        self._over = asyncio.Event()
        self._over.set()

    def begin(self, in_hand: Iterable[tuple[int, int]], suspects: Iterable[int]) -> None:
        """`in_hand`: row and feedings of what a process died with; `suspects`: the rows to be fed alone."""
        died_with = list(in_hand)
        most = MOST_FEEDINGS if len(died_with) == 1 else MOST_IN_COMPANY
        self._condemned |= {row for row, feedings in died_with if feedings >= most}
        self._suspects |= set(suspects) - self._condemned
        if self._suspects:
            logger.warning(
                "%d events were in hand at two deaths of the process or more: they are fed one by one, and all others "
                "wait for it, at most %.0f s.",
                len(self._suspects),
                LONGEST_SECONDS,
            )
            self._over.clear()
            asyncio.get_running_loop().call_later(LONGEST_SECONDS, self.end)

    def end(self) -> None:
        self._over.set()

    @property
    def is_over(self) -> bool:
        """Whoever comes now is fed at once."""
        return self._over.is_set()

    def condemns(self, row: InRow) -> bool:
        """Whether it has killed often enough. It is said once: who replays the row wants it fed."""
        condemned = row.pk in self._condemned
        self._condemned.discard(row.pk)
        return condemned

    @asynccontextmanager
    async def turn(self, row: InRow) -> AsyncIterator[None]:
        """A suspect waits for the others of its kind, everybody else for all of them."""
        if row.feedings >= SUSPECT_FEEDINGS:
            await self._turn.acquire()
            release = _once(self._turn.release)
            # Who has been alone for so long has had its chance to kill; a handler that hangs must not stop the others.
            timer = asyncio.get_running_loop().call_later(LONGEST_SECONDS, release)
            try:
                yield
            finally:
                timer.cancel()
                release()
                self._suspects.discard(row.pk)
                if not self._suspects:
                    self.end()
        else:
            await self._over.wait()
            yield
