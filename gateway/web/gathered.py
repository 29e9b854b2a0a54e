"""Questions to the database that many sockets have at once, asked together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LARGEST = 500


class Gathered(Generic[K, V]):
    """While one question is under way, the next ones gather. Whoever asks gets what the database says after that.

    `read` answers for many keys; what it raises, all of them get.
    """

    def __init__(self, read: Callable[[frozenset[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._asked: list[tuple[K, asyncio.Future[V]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, key: K) -> V:
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._asked.append((key, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked[:LARGEST], self._asked[LARGEST:]
                await self._answer(asked)
        finally:
            self._task = None

    async def _answer(self, asked: "list[tuple[K, asyncio.Future[V]]]") -> None:
        try:
            found = await self._read(frozenset(key for key, _ in asked))
        except Exception as error:
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for key, answer in asked:
                if not answer.done():
                    answer.set_result(found[key])
