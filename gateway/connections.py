"""How many database connections the handlers of bots may hold at once.

A thread that has used the ORM holds a connection until its call is over, and a database server has only so many. The
gateway's own (the writer, the readers, the pages) must not go short because many handlers look something up and then
wait for something slow.
"""

import threading
from typing import Any

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

WAIT_SECONDS = 10.0


class Allowance:
    """At most `most` connections, counted by the threads of pools that hold one; 0: any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = threading.Semaphore(most)
        self._mine = threading.local()

    def take(self, connection: BaseDatabaseWrapper) -> None:
        """This thread has just connected. Where all are taken, it gives that back, waits, and connects again.

        Raises OperationalError where none comes free in time.
        """
        if not self.most or connection.vendor == "sqlite" or self._has_one:
            return
        if not self._free.acquire(blocking=False):
            connection.close()
            if not self._free.acquire(timeout=WAIT_SECONDS):
                raise OperationalError(
                    f"The handlers of bots hold {self.most} database connections, as many as they may, and none came "
                    f"free within {WAIT_SECONDS:.0f} s. A handler that waits for something slow should close its "
                    "connection first; HANDLER_CONNECTIONS_MAX allows more."
                )
            self._mine.one = True
            connection.connect()
        self._mine.one = True

    def give_back(self) -> None:
        """The thread's call is over. What is closed is free for others."""
        if self._has_one and not any(one.connection is not None for one in connections.all(initialized_only=True)):
            self._mine.one = False
            self._free.release()

    @property
    def _has_one(self) -> bool:
        return bool(getattr(self._mine, "one", False))


def on_connected(connection: Any, **_: Any) -> None:
    """Django tells of every new connection, in the thread that has it."""
    thread: Any = threading.current_thread()
    allowance = getattr(thread, "allowance", None)
    if allowance is not None:
        thread.has_connected = True
        allowance.take(connection)
