"""What a connection waits at. asyncio's queues and events hold deques, of 760 bytes each while they are empty: eight
kilobytes of every idle socket."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiters:
    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    def _wake(self) -> None:
        """All of them: whoever finds nothing waits again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


class Inbox(Waiters, Generic[T]):
    """As much of asyncio.Queue as servers use. Whoever puts sees to it that it stays short."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        super().__init__()
        self._items: list[T] = []

    def put_nowait(self, item: T) -> None:
        self._items.append(item)
        if self._waiters:
            self._wake()

    async def get(self) -> T:
        while not self._items:
            await self._wait()
        return self._items.pop(0)

    def empty(self) -> bool:
        return not self._items


class Gate(Waiters):
    """As much of asyncio.Event as uvicorn uses. Open at first."""

    __slots__ = ("_is_open",)

    def __init__(self) -> None:
        super().__init__()
        self._is_open = True

    def is_set(self) -> bool:
        return self._is_open

    def set(self) -> None:
        self._is_open = True
        self._wake()

    def clear(self) -> None:
        self._is_open = False

    async def wait(self) -> None:
        while not self._is_open:
            await self._wait()
