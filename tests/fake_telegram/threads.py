"""The fake in a thread of its own, for synchronous tests and for products in other processes."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tests.fake_telegram.server import FakeTelegram


class LoopThread:
    """An event loop that runs in a thread until `stop`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="fake-telegram", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=10)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def in_thread(fake: FakeTelegram) -> Iterator[FakeTelegram]:
    thread = LoopThread()
    try:
        thread.run(fake.start())
        try:
            yield fake
        finally:
            thread.run(fake.stop())
    finally:
        thread.stop()


@contextmanager
def outage(fake: FakeTelegram) -> Iterator[None]:
    """Telegram is gone for a while: nobody listens on its port."""
    loop = fake.loop
    assert loop is not None
    asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(timeout=10)
    yield
    asyncio.run_coroutine_threadsafe(fake.start(), loop).result(timeout=10)
