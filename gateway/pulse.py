"""Asks the database once a second whether it is there, and whether this process still has its lease. In a thread and
on a connection of its own, since those of readers and writer may be what is stuck."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from gateway import node, patience
from gateway.models import Node

ANSWER_SECONDS = 3.0
SILENT_SECONDS = 4.0


class Pulse:
    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pulse")
        self._heard = time.monotonic()

    @property
    def silent_for(self) -> float:
        """Seconds since the database last answered, a second more or less."""
        return time.monotonic() - self._heard

    @property
    def trouble(self) -> str:
        """What is wrong, in plain words; "" when all is well."""
        silent = self.silent_for
        return f"has not answered for {silent:.0f} s. See the log, and DATABASE_URL." if silent > SILENT_SECONDS else ""

    def heard(self) -> None:
        """It has answered somebody else just now."""
        self._heard = time.monotonic()

    async def beat(self, mine: Node, told: dict[str, Any] | None = None) -> bool:
        """`told`: what others are to know of this process. False: somebody else has the lease. While the database is
        away nobody can have taken it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._beat, mine, told)

    def _beat(self, mine: Node, told: dict[str, Any] | None) -> bool:
        patience.of_this_thread(ANSWER_SECONDS)
        try:
            kept = node.beat(mine, told)
        except Exception:
            # Whatever it is, the writer meets it too, and tells.
            patience.note(away=True)
            connection.close()
            return True
        patience.note(away=False)
        self.heard()
        return kept

    def stop(self) -> None:
        patience.note(away=False)
        self._thread.submit(connection.close)
        self._thread.shutdown(wait=False)
