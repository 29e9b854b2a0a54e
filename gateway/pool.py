"""Bounded threads for bots, and a serial place in them for each conversation.

Channels runs every sync consumer of a process on one thread. `ThreadSensitiveContext(executor=Place)` around an
application gives each conversation its own, from the outside, so that plain consumers profit.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

HANDLER_THREADS = 64
HOP_THREADS = 16
READER_THREADS = 4


class Place(Executor):
    """One call at a time, in order, on a shared pool. Outlives the instances of its conversation: a sync handler
    cannot be cancelled, and the next instance must not run beside what is left of the last."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()
        self.busy = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            self._calls.append((future, lambda: fn(*args, **kwargs)))
            start = not self.busy
            self.busy = True
        if start:
            self._pool.submit(self._run_one)
        return future

    def _run_one(self) -> None:
        # One call a turn: a conversation with many calls does not keep a thread from the others.
        future, call = self._calls[0]
        if future.set_running_or_notify_cancel():
            try:
                result = call()
            except StopIteration as error:
                # asyncio's futures refuse it, and whoever waits would wait for ever.
                stopped = RuntimeError("A handler raised StopIteration: next() had nothing to give")
                stopped.__cause__ = error
                future.set_exception(stopped)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        with self._lock:
            self._calls.popleft()
            more = self.busy = bool(self._calls)
        if more:
            self._pool.submit(self._run_one)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """The pool is shared: whoever made it shuts it down."""


class Pools:
    """Two pools, so that what async consumers hop to never waits behind slow sync handlers; and one for readers."""

    def __init__(self) -> None:
        self.handlers = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="handler")
        self.hops = ThreadPoolExecutor(HOP_THREADS, thread_name_prefix="hop")
        self.readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")

    def place(self, *, sync: bool) -> Place:
        return Place(self.handlers if sync else self.hops)

    def shutdown(self) -> None:
        for pool in (self.handlers, self.hops):
            pool.shutdown(wait=False, cancel_futures=True)  # A handler that hangs must not hang the stop.
        self.readers.shutdown()
