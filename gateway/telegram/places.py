"""How many sends of a bot may be under way at once."""

import asyncio
from collections import deque
from types import TracebackType


class Places:
    """As asyncio.Semaphore, which nobody can take a place of without waiting for it: `take` does."""

    def __init__(self, many: int) -> None:
        self._free = many
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """A place, until `free`, where one is free and nobody waits for it. False: there is none."""
        if self._free <= 0 or self._waiting:
            return False
        self._free -= 1
        return True

    def free(self) -> None:
        """Gives it to whoever has waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    async def __aenter__(self) -> None:
        if self.take():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.free()  # It was given a place at the very moment at which it was cancelled.
            raise

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.free()
